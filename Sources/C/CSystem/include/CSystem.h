// Linux calls that Swift cannot reach: variadic functions, macros, and system calls that glibc does not wrap.
// Nothing here decides anything; each function is one call.
//
// The header itself asks for no GNU extensions: with them, types that glibc's own Swift module has too would look different here, and a
// clean build would fail or not depending on which module came first.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/// The peer of a connected Unix socket, by the kernel's word (unix(7), SO_PEERCRED). 0, or -1 with errno.
int sys_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid);

#define SYS_UNKNOWN (-1)
#define SYS_GONE (-2)

/// A descriptor of the very process that connected a Unix socket (SO_PEERPIDFD, Linux 6.5), or, with an older kernel, of the one that has the
/// number now; SYS_GONE where it has ended, SYS_UNKNOWN where the kernel does not say.
int sys_peer_process(int fd, int32_t pid);

/// The processes above one, the nearest first, as this PID namespace shows them: their number, -1 where they cannot be read to the end,
/// SYS_TOO_DEEP where they are more than `capacity`. Each is proven to be the parent of the one before it: by a descriptor that it is held by (PIDFD_GET_INFO, Linux 6.13),
/// before that by their start times, since a parent is never younger than its child.
enum { SYS_TOO_DEEP = -2 };
int sys_ancestors(int32_t pid, int32_t *pids, int capacity);

/// When a process began, in clock ticks since the machine's start (proc(5), "starttime"); -1 where it has ended or cannot be read.
int64_t sys_process_start(int32_t pid);

/// read(2) of a Unix socket, with the number of the process that sent the bytes, or SYS_UNKNOWN (unix(7), SCM_CREDENTIALS). The kernel
/// never puts bytes of two senders together.
ssize_t sys_receive(int fd, void *bytes, size_t length, int32_t *pid);

/// How much of what was sent the peer has not read yet, by the kernel's own measure (SIOCOUTQ); -1 with errno.
int sys_unread(int fd);

/// Opens /dev/null in place of each of the three standard descriptors that is closed: a socket that took its number would be written to
/// by whatever prints. 0, or -1 with errno.
int sys_open_standard(void);

/// Forbids ptrace, /proc/PID/mem and core dumps of this process (prctl(2), PR_SET_DUMPABLE); exec resets it.
int sys_set_not_dumpable(void);

/// Names the calling thread, in 15 bytes at most; threads that it makes inherit the name (PR_SET_NAME).
void sys_name_thread(const char *name);

/// No core file, whatever the limits were.
int sys_forbid_core(void);

/// Up to 4,096 descriptors, where as many are allowed: two for each request, and those of the programs that are served.
int sys_raise_descriptors(void);

/// One heap for all threads instead of one for each (mallopt(3)): the agent's threads are mostly asleep.
int sys_limit_heaps(void);

/// Gives pages back that a burst has left free between others (malloc_trim(3)): some milliseconds, so for a quiet moment.
void sys_return_memory(void);

/// open(2) with a mode; the fd is close-on-exec.
int sys_open(const char *path, int flags, unsigned mode);

/// Takes an open descriptor out of a program's hands: the same file under another number, close-on-exec, or -1 with errno. Standard
/// input is /dev/null then, since the next file to be opened would be it otherwise.
int sys_take(int fd);

/// An exclusive lock on a whole file that is let go when the process ends, however it ends (flock(2)).
int sys_flock(int fd, int operation);

/// Goes on in a child of init's, in a session of its own: the caller's parent sees its child end at once.
/// Call it while there is one thread. Returns 0 in the process that goes on.
int sys_daemonize(void);

/// Closes every descriptor from `first` on: what a shell left open is not for a process that stays (close_range(2)).
int sys_close_from(int first);

/// A Unix stream socket connected to PATH, or -1 with errno; EPERM where another user listens there (SO_PEERCRED, unix(7)), EAGAIN where
/// nobody took the connection, or later takes what is sent, for `patience` seconds.
int sys_unix_connect(const char *path, int patience);

/// A non-blocking Unix stream socket that listens at PATH, mode 0600 from its first moment, and whose connections say who sent each message;
/// or -1 with errno.
int sys_unix_listen(const char *path, int backlog);

/// The next connection of a listening socket, non-blocking and close-on-exec, or -1 with errno.
int sys_accept(int listener);

/// Ends a connection in both directions, or what is sent to its other end. (The importer of C finds SHUT_RDWR in some files only.)
void sys_end_connection(int fd);
void sys_end_sending(int fd);

/// The two ends of a pipe, reading end first, close-on-exec. 0, or -1 with errno.
int sys_pipe(int ends[2]);

/// The thread's last error number, which Swift cannot take the address of portably.
int sys_errno(void);

/// The environment as execve takes it.
char **sys_environment(void);

/// A descriptor that becomes readable when the process ends (pidfd_open(2)), or -1 with errno.
int sys_pidfd_open(int32_t pid);

/// Starts a program, looked for in PATH, in a session of its own without a terminal: nothing on its standard input, every signal as a
/// program expects it, and no descriptor of ours but the two. `directory` may be null. The child's id, or minus an error number.
int sys_spawn(const char *program, char *const arguments[], char *const environment[], const char *directory, int output, int errors);

/// Waits for the ended children that another process left to this one (sys_become_subreaper), up to the first that was started here.
void sys_reap_orphans(void);

/// The same for a program to talk with: its standard input is another end, and its complaints are nobody's.
int sys_spawn_to_talk(const char *program, char *const arguments[], char *const environment[], int input, int output);

/// A timer that is readable once it has gone off (timerfd_create(2)), or -1 with errno: by the wall clock, also after a suspend and when
/// the clock is set; or by one that nobody sets and that does not run while the machine is suspended.
int sys_timer_create(int is_wall);

/// Has a timer go off once, at so many milliseconds of its clock. 0, or -1 with errno.
int sys_timer_set(int timer, int is_wall, int64_t milliseconds);

/// A timer that has gone off is no longer readable.
void sys_timer_clear(int timer);

/// A descriptor that is readable while one of these signals, which must be blocked, waits (signalfd(2)), or -1 with errno.
int sys_signals_open(const int32_t *signals, int count);

/// Takes the next signal from the descriptor; 0 where there is none.
int32_t sys_signal_next(int descriptor);

/// As sys_signal_next, with the process that sent it; 0 where the kernel did, as for a key on the terminal.
int32_t sys_signal_take(int descriptor, int32_t *sender);

/// fork(2), for a program with one thread.
int32_t sys_fork(void);

/// Processes below this one that lose their parent become its children (prctl(2), PR_SET_CHILD_SUBREAPER). 0, or -1 with errno.
int sys_become_subreaper(void);

#define SYS_CHILD_EXITED 1
#define SYS_CHILD_KILLED 2
#define SYS_CHILD_STOPPED 3
#define SYS_CHILD_CONTINUED 4

/// The next child that ended, stopped or goes on, and its status or signal (waitpid(2)): its number, 0 where there is no news, -1 where there
/// is no child.
int32_t sys_child_news(int *what, int *value);

/// The user who owns the socket at the far end of an established TCP connection to 127.0.0.1, by all four of its addresses and ports
/// (sock_diag(7)); -1 where no process has it. The source's address is a number, first byte highest. `inode`, if not null, gets the number by
/// which /proc/PID/fd names the socket.
int64_t sys_tcp_owner(uint32_t address, uint16_t port, uint16_t server_port, uint32_t *inode);

/// Tells the service manager something (sd_notify(3)). 0 also where there is none; -1 with errno.
int sys_notify(const char *state);

/// The one listening socket that a service manager passed on (sd_listen_fds(3)), close-on-exec and non-blocking; -1 where there is none.
int sys_inherited_listener(void);

/// A Unix datagram socket connected to PATH, or -1 with errno.
int sys_unix_datagram_connect(const char *path);

/// Sends bytes in a sealed file in memory, for what is too long for a datagram (memfd_create(2), unix(7): SCM_RIGHTS). 0, or -1 with errno.
int sys_send_in_memory_file(int fd, const void *bytes, size_t length);

/// Swaps two files (renameat2(2), RENAME_EXCHANGE). 0, or -1 with errno: EINVAL where the file system can't.
int sys_exchange(const char *one, const char *other);

/// Renames a file, unless there is one of the new name (RENAME_NOREPLACE). 0, or -1 with errno: EINVAL where the file system can't.
int sys_rename_new(const char *from, const char *to);

/// Whether a process of this user listens at a Unix socket (SO_PEERCRED): 0, or -1 with errno, EPERM where another user's does. A name that
/// begins with `@` is abstract.
int sys_unix_is_ours(const char *name);

/// Whether anybody has a file open for writing: 1 or 0, and -1 where the file system does not say (fcntl(2), F_SETLEASE). `fd` is open for
/// reading only.
int sys_is_written(int fd);

/// The number of cores that this process may use (sched_getaffinity(2)); at least 1.
int sys_available_cores(void);
