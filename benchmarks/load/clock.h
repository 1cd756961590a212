/* Time, processor time, and the end of a run that went wrong. */
#ifndef CLOCK_H
#define CLOCK_H

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

double now(void);             /* seconds on a clock that only goes forward */
double own_cpu(void);         /* seconds of processor time that this process has used */
double server_cpu(void);      /* and the server, all its threads; 0 when its pid is not known */

#endif
