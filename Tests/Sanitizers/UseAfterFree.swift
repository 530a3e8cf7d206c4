// Reads memory that it has let go: `make sanitize` believes the address sanitizer only where it has seen this.

let number = UnsafeMutablePointer<Int>.allocate(capacity: 1)
number.initialize(to: 42)
number.deallocate()
print(number.pointee)
