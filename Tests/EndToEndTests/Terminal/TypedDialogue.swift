import Foundation
import TestSupport
import Testing

/// `vault` at a pseudo-terminal of its own, whose questions are answered one after another.
struct TypedDialogue {
  /// Waits for each text in turn, and types what belongs to it; prints the status, and what was shown to standard error.
  private static let terminal = """
    import json, os, pty, select, signal, sys, time
    steps = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    shown = b""
    start = 0
    limit = time.monotonic() + 60
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, limit - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            break
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        while steps:
            at = shown.find(steps[0][0].encode(), start)
            if at < 0:
                break
            start = at + len(steps[0][0].encode())
            # The terminal drops what was typed before it asks.
            time.sleep(0.05)
            os.write(terminal, steps.pop(0)[1].encode())
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(steps))
    sys.stderr.write(shown.decode(errors="replace"))
    """

  let status: Int
  let shown: String

  /// - Parameter steps: a text that is waited for, and what is then typed.
  static func run(
    _ vault: TestVault, _ words: [String], _ steps: [(shown: String, typed: String)], environment: [String: String] = [:],
    without: Set<String> = []
  ) async throws -> TypedDialogue {
    let json = String(decoding: try JSONEncoder().encode(steps.map { [$0.shown, $0.typed] }), as: UTF8.self)
    let all = vault.environment.merging(environment) { $1 }.filter { !without.contains($0.key) }
    let result = try await Subprocess.run(
      try Programs.python, ["-c", terminal, json, try Programs.vault] + words, environment: all)
    let numbers = result.output.split(separator: " ").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    try #require(numbers.count == 2, "\(result.output) \(result.errors)")
    #expect(numbers[1] == 0, "a question did not come: \(result.errors)")
    return TypedDialogue(status: numbers[0], shown: result.errors)
  }
}
