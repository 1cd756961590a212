/* A client on libgearman: see README.md for what it is asked and what it prints. */

#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int options_count;
static char **options;

static const char *option(const char *name)
{
  size_t length = strlen(name);
  for (int i = 0; i < options_count; i++)
    if (strncmp(options[i], name, length) == 0 && options[i][length] == '=')
      return options[i] + length + 1;
  return NULL;
}

static void say(const char *kind, const void *data, size_t size)
{
  static const char digits[] = "0123456789abcdef";
  const unsigned char *bytes = data;
  char *line = malloc(2 * size + 1);
  for (size_t i = 0; i < size; i++) {
    line[2 * i] = digits[bytes[i] >> 4];
    line[2 * i + 1] = digits[bytes[i] & 15];
  }
  line[2 * size] = 0;
  printf("%s %s\n", kind, line);
  fflush(stdout);
  free(line);
}

static void say_text(const char *kind, const char *text)
{
  say(kind, text, strlen(text));
}

/* NULL when it is empty: that is how libgearman wants it. */
static char *read_workload(size_t *size)
{
  size_t room = 1 << 16;
  char *data = malloc(room);
  size_t got;
  *size = 0;
  while ((got = fread(data + *size, 1, room - *size, stdin)) > 0) {
    *size += got;
    if (*size == room)
      data = realloc(data, room *= 2);
  }
  if (*size > 0)
    return data;
  free(data);
  return NULL;
}

static gearman_return_t on_created(gearman_task_st *task)
{
  say_text("created", gearman_task_job_handle(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_data(gearman_task_st *task)
{
  say("data", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_warning(gearman_task_st *task)
{
  say("warning", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_status(gearman_task_st *task)
{
  char text[64];
  snprintf(text, sizeof text, "%u/%u", gearman_task_numerator(task), gearman_task_denominator(task));
  say_text("status", text);
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_complete(gearman_task_st *task)
{
  say("complete", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_exception(gearman_task_st *task)
{
  say("exception", gearman_task_data(task), gearman_task_data_size(task));
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_fail(gearman_task_st *task)
{
  (void)task;
  say_text("fail", "");
  return GEARMAN_SUCCESS;
}

static void listen_to_tasks(gearman_client_st *client)
{
  gearman_client_set_created_fn(client, on_created);
  gearman_client_set_data_fn(client, on_data);
  gearman_client_set_warning_fn(client, on_warning);
  gearman_client_set_status_fn(client, on_status);
  gearman_client_set_complete_fn(client, on_complete);
  gearman_client_set_exception_fn(client, on_exception);
  gearman_client_set_fail_fn(client, on_fail);
}

typedef gearman_task_st *add_fn(gearman_client_st *, gearman_task_st *, void *, const char *,
                                const char *, const void *, size_t, gearman_return_t *);

static add_fn *how_to_add(void)
{
  static add_fn *const ways[2][3] = {
    {gearman_client_add_task, gearman_client_add_task_high, gearman_client_add_task_low},
    {gearman_client_add_task_background, gearman_client_add_task_high_background,
     gearman_client_add_task_low_background},
  };
  const char *precedence = option("precedence");
  int column = precedence == NULL ? 0 : strcmp(precedence, "high") == 0 ? 1 : 2;
  return ways[option("background") != NULL][column];
}

static gearman_return_t run(gearman_client_st *client)
{
  gearman_return_t code;
  size_t size;
  char *workload = read_workload(&size);
  listen_to_tasks(client);
  how_to_add()(client, NULL, NULL, option("function"), option("unique"), workload, size, &code);
  if (gearman_success(code))
    code = gearman_client_run_tasks(client);
  gearman_client_task_free_all(client);
  free(workload);
  return code;
}

static gearman_return_t many(gearman_client_st *client)
{
  gearman_return_t code = GEARMAN_SUCCESS;
  int count = atoi(option("count"));
  char (*workloads)[32] = calloc((size_t)count, sizeof *workloads);
  gearman_client_set_complete_fn(client, on_complete);
  for (int i = 0; i < count && gearman_success(code); i++) {
    int length = snprintf(workloads[i], sizeof workloads[i], "job %d", i);
    gearman_client_add_task(client, NULL, NULL, option("function"), NULL, workloads[i],
                            (size_t)length, &code);
  }
  if (gearman_success(code))
    code = gearman_client_run_tasks(client);
  gearman_client_task_free_all(client);
  free(workloads);
  return code;
}

typedef void *do_fn(gearman_client_st *, const char *, const char *, const void *, size_t, size_t *,
                    gearman_return_t *);

static gearman_return_t do_one(gearman_client_st *client)
{
  const char *precedence = option("precedence");
  do_fn *way = precedence == NULL                ? gearman_client_do
               : strcmp(precedence, "high") == 0 ? gearman_client_do_high
                                                 : gearman_client_do_low;
  gearman_return_t code;
  size_t size, result_size;
  char *workload = read_workload(&size);
  for (;;) {
    uint32_t numerator, denominator;
    char text[64];
    char *result = way(client, option("function"), option("unique"), workload, size, &result_size,
                       &code);
    switch (code) {
    case GEARMAN_WORK_DATA:
      say("data", result, result_size);
      break;
    case GEARMAN_WORK_WARNING:
      say("warning", result, result_size);
      break;
    case GEARMAN_WORK_STATUS:
      gearman_client_do_status(client, &numerator, &denominator);
      snprintf(text, sizeof text, "%u/%u", numerator, denominator);
      say_text("status", text);
      break;
    case GEARMAN_SUCCESS:
      say("complete", result, result_size);
      break;
    case GEARMAN_WORK_EXCEPTION:
      say("exception", result, result_size);
      break;
    case GEARMAN_WORK_FAIL:
      say_text("fail", "");
      break;
    default:
      break;
    }
    free(result);
    if (code != GEARMAN_WORK_DATA && code != GEARMAN_WORK_WARNING && code != GEARMAN_WORK_STATUS)
      break;
  }
  free(workload);
  return code == GEARMAN_WORK_FAIL || code == GEARMAN_WORK_EXCEPTION ? GEARMAN_SUCCESS : code;
}

static gearman_return_t background(gearman_client_st *client)
{
  gearman_job_handle_t handle;
  size_t size;
  char *workload = read_workload(&size);
  gearman_return_t code = gearman_client_do_background(client, option("function"), option("unique"),
                                                       workload, size, handle);
  if (gearman_success(code))
    say_text("created", handle);
  free(workload);
  return code;
}

static gearman_return_t state(gearman_client_st *client)
{
  bool known, running;
  uint32_t numerator, denominator;
  char text[128];
  gearman_return_t code = gearman_client_job_status(client, option("handle"), &known, &running,
                                                    &numerator, &denominator);
  snprintf(text, sizeof text, "%d %d %u %u", known, running, numerator, denominator);
  say_text("state", text);
  return code;
}

static gearman_return_t unique_state(gearman_client_st *client)
{
  const char *unique = option("unique");
  gearman_status_t status = gearman_client_unique_status(client, unique, strlen(unique));
  char text[128];
  snprintf(text, sizeof text, "%d %d %u %u", gearman_status_is_known(status),
           gearman_status_is_running(status), gearman_status_numerator(status),
           gearman_status_denominator(status));
  say_text("state", text);
  return gearman_status_return(status);
}

static gearman_return_t echo(gearman_client_st *client)
{
  size_t size;
  char *workload = read_workload(&size);
  gearman_return_t code = gearman_client_echo(client, workload, size);
  if (gearman_success(code))
    say("echo", workload, size);
  free(workload);
  return code;
}

static gearman_return_t ask_option(gearman_client_st *client)
{
  const char *name = option("name");
  bool known = gearman_client_set_server_option(client, name, strlen(name));
  say_text("option", known ? "yes" : "no");
  return GEARMAN_SUCCESS;
}

static gearman_return_t say_result(gearman_client_st *client, gearman_task_st *task)
{
  if (task == NULL)
    return gearman_client_error_code(client);
  gearman_return_t code = gearman_task_return(task);
  gearman_result_st *result = gearman_task_result(task);
  if (gearman_success(code) && result != NULL)
    say("complete", gearman_result_value(result), gearman_result_size(result));
  else if (code == GEARMAN_WORK_FAIL)
    say_text("fail", "");
  return code == GEARMAN_WORK_FAIL ? GEARMAN_SUCCESS : code;
}

static gearman_return_t execute(gearman_client_st *client)
{
  size_t size;
  char *workload = read_workload(&size);
  const char *function = option("function");
  const char *reducer = option("reducer");
  const char *when = option("when");
  gearman_argument_t arguments = gearman_argument_make(0, 0, workload, size);
  gearman_task_attr_t epoch =
      gearman_task_attr_init_epoch(when ? atol(when) : 0, GEARMAN_JOB_PRIORITY_NORMAL);
  gearman_task_st *task =
      reducer ? gearman_execute_by_partition(client, function, strlen(function), reducer,
                                             strlen(reducer), NULL, 0, NULL, &arguments, NULL)
              : gearman_execute(client, function, strlen(function), NULL, 0, when ? &epoch : NULL,
                                &arguments, NULL);
  gearman_return_t code;
  if (when && task) {
    say_text("created", gearman_task_job_handle(task));
    code = GEARMAN_SUCCESS;
  } else {
    code = say_result(client, task);
  }
  free(workload);
  return code;
}

static const struct {
  const char *name;
  gearman_return_t (*act)(gearman_client_st *);
} commands[] = {
  {"run", run},     {"do", do_one},         {"background", background},
  {"many", many},   {"state", state},       {"unique-state", unique_state},
  {"echo", echo},   {"option", ask_option}, {"execute", execute},
};

int main(int argc, char **argv)
{
  options_count = argc - 4;
  options = argv + 4;
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, argv[1], (in_port_t)atoi(argv[2]));
  if (option("timeout"))
    gearman_client_set_timeout(client, atoi(option("timeout")));
  if (option("exceptions"))
    gearman_client_set_server_option(client, "exceptions", strlen("exceptions"));
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[3], commands[i].name) == 0) {
      gearman_return_t code = commands[i].act(client);
      if (code == GEARMAN_TIMEOUT)
        say_text("error", "timeout");
      else if (gearman_failed(code) && !gearman_continue(code))
        say_text("error", gearman_strerror(code));
      gearman_client_free(client);
      return 0;
    }
  }
  fprintf(stderr, "no such command: %s\n", argv[3]);
  return 2;
}
