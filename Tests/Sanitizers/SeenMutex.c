// Tells the thread sanitizer of locks that were contended for.
//
// Where nobody waits, `Mutex` locks and unlocks by code that is compiled into our modules, and the sanitizer sees it. Where somebody does, it
// calls two functions of Swift's Synchronization library, which is built without the sanitizer: each such lock would be reported as a
// race. Loaded before that library (LD_PRELOAD), these say what was locked and go on to the library's own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// Only a program with the sanitizer in it has them.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

typedef __attribute__((swiftcall)) void (*lock_function)(uint32_t, __attribute__((swift_context)) void *);
typedef __attribute__((swiftcall)) void (*unlock_function)(__attribute__((swift_context)) void *);

static void *library_own(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

__attribute__((swiftcall)) void seen_lock(uint32_t thread, __attribute__((swift_context)) void *mutex) __asm__(LOCK);
__attribute__((swiftcall)) void seen_unlock(__attribute__((swift_context)) void *mutex) __asm__(UNLOCK);

__attribute__((swiftcall)) void seen_lock(uint32_t thread, __attribute__((swift_context)) void *mutex) {
  ((lock_function)library_own(LOCK))(thread, mutex);
  if (__tsan_acquire) __tsan_acquire(mutex);
}

__attribute__((swiftcall)) void seen_unlock(__attribute__((swift_context)) void *mutex) {
  if (__tsan_release) __tsan_release(mutex);
  ((unlock_function)library_own(UNLOCK))(mutex);
}
