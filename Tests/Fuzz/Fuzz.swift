import Glibc

/// What libFuzzer calls, again and again (`make fuzz`). A trap, an error of the address sanitizer and a wrong answer are all crashes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// `VAULT_FUZZ` names it.
private let target: @Sendable ([UInt8]) -> Void = {
  let name = getenv("VAULT_FUZZ").map { String(cString: $0) } ?? ""
  guard let target = targets[name] else {
    complain("VAULT_FUZZ is one of " + targets.keys.sorted().joined(separator: " "))
    exit(64)
  }
  return target
}()

/// What must hold of any input.
func must(_ holds: Bool, _ what: @autoclosure () -> String) {
  guard !holds else { return }
  complain("does not hold: " + what())
  abort()
}

private func complain(_ text: String) {
  let line = Array((text + "\n").utf8)
  _ = write(STDERR_FILENO, line, line.count)
}

/// libFuzzer as a library (LLVM, "libFuzzer", "Using libFuzzer as a library"): SwiftPM wants an entry point of the program's own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>, _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ call: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("fuzz_main")
public func fuzzMain(_ count: CInt, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var (count, words) = (count, words)
  return runDriver(&count, &words) { fuzz($0, $1) }
}
