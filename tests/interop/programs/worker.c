/* A worker on libgearman: see README.md for the functions that it does. */

#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gearman_return_t echo(gearman_job_st *job, void *context)
{
  (void)context;
  return gearman_job_send_complete(job, gearman_job_workload(job), gearman_job_workload_size(job));
}

static gearman_return_t reverse(gearman_job_st *job, void *context)
{
  size_t size = gearman_job_workload_size(job);
  const char *workload = gearman_job_workload(job);
  char *reversed = malloc(size + 1);
  (void)context;
  for (size_t i = 0; i < size; i++)
    reversed[i] = workload[size - 1 - i];
  gearman_return_t code = gearman_job_send_complete(job, reversed, size);
  free(reversed);
  return code;
}

static gearman_return_t talk(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_status(job, 1, 4);
  gearman_job_send_data(job, "one ", 4);
  gearman_job_send_warning(job, "two ", 4);
  gearman_job_send_status(job, 3, 4);
  return gearman_job_send_complete(job, "three", 5);
}

static gearman_return_t fail(gearman_job_st *job, void *context)
{
  (void)job;
  (void)context;
  return GEARMAN_FAIL;
}

static gearman_return_t raise_exception(gearman_job_st *job, void *context)
{
  (void)context;
  return gearman_job_send_exception(job, gearman_job_workload(job), gearman_job_workload_size(job));
}

static gearman_return_t unique(gearman_job_st *job, void *context)
{
  const char *key = gearman_job_unique(job);
  (void)context;
  return gearman_job_send_complete(job, key, strlen(key));
}

static gearman_return_t hang(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_data(job, "here", 4);
  pause();
  return GEARMAN_FAIL;
}

static gearman_return_t late(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_data(job, "here", 4);
  usleep(1500 * 1000);
  return gearman_job_send_complete(job, "too late", 8);
}

/* The first time the server has to give the job out again. */
static gearman_return_t flaky(gearman_job_st *job, void *context)
{
  static int runs;
  (void)context;
  if (runs++ == 0)
    return GEARMAN_ERROR;
  return gearman_job_send_complete(job, "again", 5);
}

/* Each word of the workload becomes a job of its own. */
static gearman_return_t split(gearman_job_st *job, void *context)
{
  size_t size = gearman_job_workload_size(job);
  const char *workload = gearman_job_workload(job);
  size_t start = 0;
  (void)context;
  for (size_t i = 0; i <= size; i++) {
    if (i < size && workload[i] != ' ')
      continue;
    if (i > start)
      gearman_job_send_data(job, workload + start, i - start);
    start = i + 1;
  }
  return GEARMAN_SUCCESS;
}

static gearman_return_t join(gearman_aggregator_st *aggregator, gearman_task_st *tasks,
                             gearman_result_st *result)
{
  char joined[4096] = "";
  (void)aggregator;
  for (gearman_task_st *task = tasks; task != NULL; task = gearman_next(task)) {
    gearman_result_st *part = gearman_task_result(task);
    if (part == NULL || gearman_failed(gearman_task_return(task)))
      return GEARMAN_FAIL;
    snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%.*s ",
             (int)gearman_result_size(part), gearman_result_value(part));
  }
  return gearman_result_store_value(result, joined, strlen(joined));
}

static const struct {
  const char *name;
  gearman_function_fn *function;
  unsigned timeout;
} functions[] = {
  {"echo", echo, 0},   {"reverse", reverse, 0},       {"talk", talk, 0},
  {"fail", fail, 0},   {"raise", raise_exception, 0}, {"unique", unique, 0},
  {"hang", hang, 0},   {"late", late, 1000},          {"flaky", flaky, 0},
};

static void define(gearman_worker_st *worker, const char *prefix, const char *name,
                   gearman_function_t function, unsigned timeout)
{
  char full[256];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  gearman_worker_define_function(worker, full, strlen(full), function, timeout, NULL);
}

int main(int argc, char **argv)
{
  (void)argc;
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_options(worker, GEARMAN_WORKER_GRAB_ALL);
  gearman_worker_add_server(worker, argv[1], (in_port_t)atoi(argv[2]));
  gearman_worker_set_identifier(worker, argv[3], strlen(argv[3]));
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    define(worker, argv[3], functions[i].name, gearman_function_create(functions[i].function),
           functions[i].timeout);
  define(worker, argv[3], "split", gearman_function_create_partition(split, join), 0);
  for (;;)
    if (gearman_failed(gearman_worker_work(worker)))
      usleep(50 * 1000);  /* the server is gone: it may come back */
}
