#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int sys_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  *gid = peer.gid;
  return 0;
}

// Both are younger than the headers of Debian 12.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
struct process_facts {
  uint64_t mask, cgroup;
  uint32_t pid, thread_group, parent, ids[8];
  int32_t exit_code;
};
#define GET_PROCESS_FACTS _IOWR(0xFF, 11, struct process_facts)

int sys_peer_process(int fd, int32_t pid) {
  int process;
  socklen_t length = sizeof process;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &length) == 0) return process;
  if (errno == ENOPROTOOPT) {
    process = sys_pidfd_open(pid);
    if (process >= 0) return process;
    return errno == ESRCH ? SYS_GONE : SYS_UNKNOWN;
  }
  return errno == ESRCH || errno == EINVAL || errno == ENODATA ? SYS_GONE : SYS_UNKNOWN;
}

/// Reads the parent and the start time of a process (proc(5), fields 4 and 22, counted after the command's name, which may contain any
/// character). 0, or -1 with errno.
static int read_process(int32_t pid, int32_t *parent, int64_t *start) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, text, sizeof text - 1);
  int saved = errno;
  close(file);
  errno = saved;
  if (length <= 0) return -1;
  text[length] = 0;
  char *field = strrchr(text, ')');
  if (!field || sscanf(field, ") %*c %d", parent) != 1) return -1;
  for (int number = 2; number < 22; number++) {
    field = strchr(field + 1, ' ');
    if (!field) return -1;
  }
  *start = strtoll(field + 1, NULL, 10);
  return 0;
}

int64_t sys_process_start(int32_t pid) {
  int32_t parent;
  int64_t start;
  return read_process(pid, &parent, &start) == 0 ? start : -1;
}

/// How often a chain is read again where a process in it ended meanwhile, and its children have another parent.
enum { CHAIN_READINGS = 64 };

static int ancestors_by_files(int32_t pid, int32_t *pids, int capacity) {
  for (int reading = 0; reading < CHAIN_READINGS; reading++) {
    int count = 0;
    int32_t parent, above;
    int64_t start, older;
    if (read_process(pid, &parent, &start) != 0) return -1;
    while (parent > 0) {
      if (count == capacity) return SYS_TOO_DEEP;
      // Where there is none, or a younger one, the number had become free.
      if (read_process(parent, &above, &older) != 0 || older > start) break;
      pids[count++] = parent;
      start = older;
      parent = above;
    }
    if (parent <= 0) return count;
  }
  return -1;
}

/// Parents that were found before, by their number: the descriptor proves that the number is theirs still. A chain costs one system call a
/// process then; the shells, terminals and managers above a program stay the same for many requests.
static struct {
  pthread_mutex_t lock;
  int32_t pids[128];
  int processes[128];
} parents = {.lock = PTHREAD_MUTEX_INITIALIZER};

/// The parent of a process; 0 if it has none that this namespace shows, -1 if it has ended or the kernel does not say.
static int32_t parent_of(int process) {
  struct process_facts facts = {.mask = 1};
  if (ioctl(process, GET_PROCESS_FACTS, &facts) != 0) return -1;
  if ((facts.mask & 1) == 0) {
    errno = ENOTTY;
    return -1;
  }
  return (int32_t)facts.parent;
}

/// A descriptor of the process that has a number now, and its parent; -1 if there is none. `child` is a descriptor of a process that has
/// named it as its parent: while it does so still, the number is nobody else's. The caller closes nothing, and holds the lock.
static int known_parent(int child, int32_t pid, int32_t *above) {
  int *process = &parents.processes[pid % 128];
  int32_t *known = &parents.pids[pid % 128];
  // It has had the number since before the child named it.
  if (*known == pid && (*above = parent_of(*process)) >= 0) return *process;
  int found = sys_pidfd_open(pid);
  if (found < 0) return -1;
  if (parent_of(child) != pid || (*above = parent_of(found)) < 0) {
    close(found);
    return -1;
  }
  if (*known) close(*process);
  *known = pid;
  return *process = found;
}

int sys_ancestors(int32_t pid, int32_t *pids, int capacity) {
  int first = sys_pidfd_open(pid), count = -1;
  if (first < 0) return errno == ESRCH ? -1 : ancestors_by_files(pid, pids, capacity);
  pthread_mutex_lock(&parents.lock);
  // A process of the chain that ended meanwhile has left its children another parent.
  for (int reading = 0; reading < CHAIN_READINGS; reading++) {
    int process = first;
    int32_t parent = parent_of(first), above;
    if (parent < 0) {
      count = errno == ESRCH ? -1 : ancestors_by_files(pid, pids, capacity);
      break;
    }
    for (count = 0; parent > 0 && count < capacity; parent = above) {
      process = known_parent(process, parent, &above);
      if (process < 0) break;
      pids[count++] = parent;
    }
    if (parent <= 0) break;
    int isTooDeep = process >= 0;
    count = isTooDeep ? SYS_TOO_DEEP : -1;
    if (isTooDeep) break;
  }
  pthread_mutex_unlock(&parents.lock);
  close(first);
  return count;
}

ssize_t sys_receive(int fd, void *bytes, size_t length, int32_t *pid) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct iovec place = {bytes, length};
  struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
  *pid = SYS_UNKNOWN;
  ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS &&
      header->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
    *pid = sender.pid;
  }
  return got;
}

int sys_unread(int fd) {
  int count = 0;
  return ioctl(fd, SIOCOUTQ, &count) == 0 ? count : -1;
}

int sys_open_standard(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) return -1;
  }
  return 0;
}

int sys_set_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void sys_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int sys_forbid_core(void) {
  struct rlimit none = {0, 0};
  return setrlimit(RLIMIT_CORE, &none);
}

int sys_raise_descriptors(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return -1;
  rlim_t wanted = files.rlim_max < 4096 ? files.rlim_max : 4096;
  if (files.rlim_cur >= wanted) return 0;
  files.rlim_cur = wanted;
  return setrlimit(RLIMIT_NOFILE, &files);
}

int sys_limit_heaps(void) { return mallopt(M_ARENA_MAX, 1); }

void sys_return_memory(void) { malloc_trim(0); }

int sys_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }

int sys_take(int fd) {
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  if (own < 0) return -1;
  close(fd);
  if (fd == 0) (void)!open("/dev/null", O_RDONLY);
  return own;
}

int sys_flock(int fd, int operation) { return flock(fd, operation); }

int sys_daemonize(void) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) _exit(0);
  if (setsid() < 0) return -1;
  return 0;
}

int sys_close_from(int first) { return (int)syscall(SYS_close_range, (unsigned)first, ~0U, 0U); }

/// Fills a socket address with a path; -1 with ENAMETOOLONG where it does not fit (unix(7): 108 bytes).
static int sys_unix_address(const char *path, struct sockaddr_un *address) {
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

static int sys_unix_connect_kind(const char *path, int kind, int patience) {
  struct sockaddr_un address;
  if (sys_unix_address(path, &address) != 0) return -1;
  int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // connect(2) waits for a place in the queue as long as a send would (socket(7), SO_SNDTIMEO).
  struct timeval longest = {patience, 0};
  if (patience > 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

int sys_unix_connect(const char *path, int patience) {
  int fd = sys_unix_connect_kind(path, SOCK_STREAM, patience);
  if (fd < 0) return -1;
  int32_t pid;
  uint32_t uid, gid;
  if (sys_peer_credentials(fd, &pid, &uid, &gid) != 0 || uid != geteuid()) {
    close(fd);
    errno = EPERM;
    return -1;
  }
  return fd;
}

int sys_unix_datagram_connect(const char *path) { return sys_unix_connect_kind(path, SOCK_DGRAM, 0); }

int sys_send_in_memory_file(int fd, const void *bytes, size_t length) {
  int file = memfd_create("vault", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  int result = -1;
  size_t done = 0;
  while (done < length) {
    ssize_t written = write(file, (const char *)bytes + done, length - done);
    if (written <= 0) goto over;
    done += (size_t)written;
  }
  if (fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) goto over;
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &file, sizeof file);
  if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0) result = 0;
over:;
  int saved = errno;
  close(file);
  errno = saved;
  return result;
}

/// Has the kernel say of each message who sent it; what is accepted inherits that (unix(7), SO_PASSCRED).
static int sys_name_senders(int fd) {
  int yes = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}

int sys_unix_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  if (sys_unix_address(path, &address) != 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  mode_t before = umask(0177);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  int saved = errno;
  umask(before);
  if (bound != 0 || sys_name_senders(fd) != 0 || listen(fd, backlog) != 0) {
    if (bound == 0) saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

void sys_end_connection(int fd) { shutdown(fd, SHUT_RDWR); }

void sys_end_sending(int fd) { shutdown(fd, SHUT_WR); }

int sys_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int sys_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int sys_errno(void) { return errno; }

char **sys_environment(void) { return environ; }

int sys_pidfd_open(int32_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0U); }

/// The children that somebody here waits for; of more at a time, the oldest may be reaped as orphans.
static struct {
  pthread_mutex_t lock;
  pid_t pids[256];
  unsigned count;
} spawned = {.lock = PTHREAD_MUTEX_INITIALIZER};

void sys_reap_orphans(void) {
  pthread_mutex_lock(&spawned.lock);
  for (;;) {
    siginfo_t child = {0};
    if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0) break;
    int is_own = 0;
    for (int i = 0; i < 256; i++) is_own |= spawned.pids[i] == child.si_pid;
    if (is_own || waitpid(child.si_pid, NULL, WNOHANG) <= 0) break;
  }
  pthread_mutex_unlock(&spawned.lock);
}

static int spawn(
    const char *program, char *const arguments[], char *const environment[], const char *directory, int input, int output, int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int code = posix_spawn_file_actions_init(&actions);
  if (code != 0) return -code;
  code = posix_spawnattr_init(&attributes);
  if (code != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return -code;
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (input >= 0)
    posix_spawn_file_actions_adddup2(&actions, input, 0);
  else
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (errors >= 0)
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
  else
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (directory) posix_spawn_file_actions_addchdir_np(&actions, directory);
  pid_t child = 0;
  pthread_mutex_lock(&spawned.lock);
  code = posix_spawnp(&child, program, &actions, &attributes, arguments, environment);
  if (code == 0) spawned.pids[spawned.count++ % 256] = child;
  pthread_mutex_unlock(&spawned.lock);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code == 0 ? child : -code;
}

int sys_spawn(const char *program, char *const arguments[], char *const environment[], const char *directory, int output, int errors) {
  return spawn(program, arguments, environment, directory, -1, output, errors);
}

int sys_spawn_to_talk(const char *program, char *const arguments[], char *const environment[], int input, int output) {
  return spawn(program, arguments, environment, NULL, input, output, -1);
}

int sys_timer_create(int is_wall) {
  return timerfd_create(is_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

int sys_timer_set(int timer, int is_wall, int64_t milliseconds) {
  // Zero would switch it off; the first millisecond has passed just the same.
  int64_t moment = milliseconds > 0 ? milliseconds : 1;
  struct itimerspec when = {{0, 0}, {moment / 1000, (moment % 1000) * 1000000}};
  return timerfd_settime(timer, TFD_TIMER_ABSTIME | (is_wall ? TFD_TIMER_CANCEL_ON_SET : 0), &when, NULL);
}

void sys_timer_clear(int timer) {
  uint64_t times;
  (void)!read(timer, &times, sizeof times);
}

int sys_signals_open(const int32_t *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int32_t sys_signal_next(int descriptor) {
  struct signalfd_siginfo signal;
  return read(descriptor, &signal, sizeof signal) == sizeof signal ? (int32_t)signal.ssi_signo : 0;
}

int32_t sys_signal_take(int descriptor, int32_t *sender) {
  struct signalfd_siginfo signal;
  if (read(descriptor, &signal, sizeof signal) != sizeof signal) return 0;
  // Codes above 0 are the kernel's (sigaction(2), "si_code").
  *sender = signal.ssi_code <= 0 ? (int32_t)signal.ssi_pid : 0;
  return (int32_t)signal.ssi_signo;
}

int32_t sys_fork(void) { return fork(); }

int sys_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int32_t sys_child_news(int *what, int *value) {
  int status;
  pid_t child;
  do child = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
  while (child < 0 && errno == EINTR);
  if (child <= 0) return child;
  if (WIFEXITED(status)) {
    *what = SYS_CHILD_EXITED;
    *value = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    *what = SYS_CHILD_KILLED;
    *value = WTERMSIG(status);
  } else if (WIFSTOPPED(status)) {
    *what = SYS_CHILD_STOPPED;
    *value = WSTOPSIG(status);
  } else {
    *what = SYS_CHILD_CONTINUED;
    *value = SIGCONT;
  }
  return child;
}

int64_t sys_tcp_owner(uint32_t address, uint16_t port, uint16_t server_port, uint32_t *inode) {
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  struct {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
  } request;
  memset(&request, 0, sizeof request);
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = 1U << TCP_ESTABLISHED;
  request.body.id.idiag_sport = htons(port);
  request.body.id.idiag_dport = htons(server_port);
  request.body.id.idiag_src[0] = htonl(address);
  request.body.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  int64_t owner = -1;
  char answer[4096] __attribute__((aligned(8)));
  struct sockaddr_nl from;
  socklen_t size = sizeof from;
  if (send(netlink, &request, sizeof request, 0) == sizeof request) {
    ssize_t length = recvfrom(netlink, answer, sizeof answer, 0, (struct sockaddr *)&from, &size);
    struct nlmsghdr *head = (struct nlmsghdr *)answer;
    if (length > 0 && size == sizeof from && from.nl_pid == 0 && NLMSG_OK(head, (size_t)length) &&
        head->nlmsg_type == SOCK_DIAG_BY_FAMILY && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
      // The kernel ignores the states and, where it knows no such connection, names a socket that listens at the source's address.
      // A connection that its process has let go has no inode and is shown as root's.
      const struct inet_diag_msg *found = NLMSG_DATA(head);
      if (found->idiag_family == AF_INET && found->idiag_state == TCP_ESTABLISHED && found->idiag_inode != 0 &&
          found->id.idiag_sport == request.body.id.idiag_sport && found->id.idiag_dport == request.body.id.idiag_dport &&
          found->id.idiag_src[0] == request.body.id.idiag_src[0] && found->id.idiag_dst[0] == request.body.id.idiag_dst[0]) {
        owner = found->idiag_uid;
        if (inode) *inode = found->idiag_inode;
      }
    }
  }
  close(netlink);
  return owner;
}

int sys_notify(const char *state) {
  const char *path = getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return 0;
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return -1;
  memcpy(address.sun_path, path, length);
  // An abstract name begins with a zero.
  if (path[0] == '@') address.sun_path[0] = 0;
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
  close(descriptor);
  return sent < 0 ? -1 : 0;
}

int sys_inherited_listener(void) {
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) != 1) return -1;
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening) return -1;
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  fcntl(3, F_SETFD, FD_CLOEXEC);
  sys_name_senders(3);
  fcntl(3, F_SETFL, fcntl(3, F_GETFL) | O_NONBLOCK);
  return 3;
}

int sys_exchange(const char *one, const char *other) { return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE); }

int sys_rename_new(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE); }

int sys_unix_is_ours(const char *name) {
  struct sockaddr_un address;
  if (sys_unix_address(name, &address) != 0) return -1;
  socklen_t size = sizeof address;
  if (name[0] == '@') {
    address.sun_path[0] = 0;
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
  }
  // A queue that is full is no reason to wait.
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int result = connect(fd, (struct sockaddr *)&address, size);
  int32_t pid;
  uint32_t uid, gid;
  if (result == 0) result = sys_peer_credentials(fd, &pid, &uid, &gid);
  if (result == 0 && uid != geteuid()) {
    errno = EPERM;
    result = -1;
  }
  int saved = errno;
  close(fd);
  errno = saved;
  return result;
}

int sys_is_written(int fd) {
  // A lease for reading is given where nobody writes.
  if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return 0;
  }
  return errno == EAGAIN ? 1 : -1;
}

/// Before Swift's runtime looks for itself there, and aborts where it cannot: the words are those of VaultModel's ProcessFiles, 69 is
/// EX_UNAVAILABLE. Of the lowest priority that is not the compiler's own, so that it comes before every other initializer.
__attribute__((constructor(101))) static void require_process_files(void) {
  if (access("/proc/self/exe", F_OK) == 0) return;
  static const char text[] = "vault: there is no /proc here, which vault cannot do without\nhint: mount -t proc proc /proc\n";
  ssize_t written = write(2, text, sizeof text - 1);
  (void)written;
  _exit(69);
}

int sys_available_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
