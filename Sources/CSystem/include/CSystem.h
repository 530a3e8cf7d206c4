// Linux calls that Swift cannot reach: variadic functions, macros, and system calls that glibc does not wrap.
// Nothing here decides anything; each function is one call.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/// The peer of a connected Unix socket, by the kernel's word (unix(7), SO_PEERCRED). 0, or -1 with errno.
static inline int sys_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  *gid = peer.gid;
  return 0;
}

/// Forbids ptrace, /proc/PID/mem and core dumps of this process (prctl(2), PR_SET_DUMPABLE); exec resets it.
static inline int sys_set_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

/// 1 if this process can be traced and dumped by others of the same user.
static inline int sys_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

/// No core file, whatever the limits were.
static inline int sys_forbid_core(void) {
  struct rlimit none = {0, 0};
  return setrlimit(RLIMIT_CORE, &none);
}

/// One heap for all threads instead of one for each (mallopt(3)): the agent's threads are mostly asleep.
static inline int sys_limit_heaps(void) { return mallopt(M_ARENA_MAX, 1); }

/// open(2) with a mode; the fd is close-on-exec.
static inline int sys_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }

/// An exclusive lock on a whole file that is let go when the process ends, however it ends (flock(2)).
static inline int sys_flock(int fd, int operation) { return flock(fd, operation); }

/// A file descriptor for a process, readable when it has ended (pidfd_open(2)).
static inline int sys_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/// Goes on in a child of init's, in a session of its own: the caller's parent sees its child end at once.
/// Call it while there is one thread. Returns 0 in the process that goes on.
static inline int sys_daemonize(void) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) _exit(0);
  if (setsid() < 0) return -1;
  return 0;
}

/// Closes every descriptor from `first` on: what a shell left open is not for a process that stays (close_range(2)).
static inline int sys_close_from(int first) { return (int)syscall(SYS_close_range, (unsigned)first, ~0U, 0U); }

/// Fills a socket address with a path; -1 with ENAMETOOLONG where it does not fit (unix(7): 108 bytes).
static inline int sys_unix_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address->sun_path, path, length + 1);
  return 0;
}

/// A Unix stream socket connected to PATH, or -1 with errno.
static inline int sys_unix_connect(const char *path) {
  struct sockaddr_un address;
  if (sys_unix_address(path, &address) != 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

/// A non-blocking Unix stream socket that listens at PATH, mode 0600 from its first moment, or -1 with errno.
static inline int sys_unix_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  if (sys_unix_address(path, &address) != 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  mode_t before = umask(0177);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  int saved = errno;
  umask(before);
  if (bound != 0 || listen(fd, backlog) != 0) {
    if (bound == 0) saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

/// The next connection of a listening socket, non-blocking and close-on-exec, or -1 with errno.
static inline int sys_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

/// The thread's last error number, which Swift cannot take the address of portably.
static inline int sys_errno(void) { return errno; }

extern char **environ;
/// The environment as execve takes it.
static inline char **sys_environment(void) { return environ; }
