import Glibc
import VaultModel

/// The progress that a user sees if shipping takes over a second: one line, on a terminal only.
struct ShippingDisplay {
  private let isTerminal = isatty(2) == 1
  private let start = Self.now()
  private var shownAt: Int64 = 0
  private var isShown = false

  private static func now() -> Int64 { monotonicNanoseconds() / 1_000_000 }

  mutating func show(_ done: Int64, of all: Int64) {
    let now = Self.now()
    guard isTerminal, now - start > 1_000, now - shownAt > 200 else { return }
    shownAt = now
    isShown = true
    TeamProgram.write(to: 2, "\r\u{1B}[Kvault: \(done) of \(all) rows are on the server")
  }

  mutating func retry(_ why: String) {
    guard isTerminal else { return }
    end()
    TeamProgram.notice("\(why); trying again")
  }

  mutating func end() {
    if isShown { TeamProgram.write(to: 2, "\r\u{1B}[K") }
    isShown = false
  }
}
