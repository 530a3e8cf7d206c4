import Glibc

// Two threads write one number without a lock: `make sanitize` believes the thread sanitizer only where it has seen this.

/// `@unchecked Sendable`: it is not, and that is the point.
final class Counter: @unchecked Sendable {
  var number = 0
}

let counter = Counter()

func count(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Long enough that both threads are at it at once: the sanitizer misses a race that is over in an instant.
  for _ in 0..<1_000_000 { counter.number += 1 }
  return nil
}

var threads = [pthread_t(), pthread_t()]
for index in threads.indices { pthread_create(&threads[index], nil, count, nil) }
for thread in threads { pthread_join(thread, nil) }
print(counter.number)
