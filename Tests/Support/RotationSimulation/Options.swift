import VaultModel

/// What the command line asks for.
struct Options {
  var seed: UInt64 = 1
  var laptops = 200
  var sessions = 50
  var days = 30
  var svg = ".build/simulate.svg"

  static let usage =
    "usage: rotation-simulation [--seed 1] [--laptops 200] [--sessions 50] [--days 30] [--svg .build/simulate.svg]"

  init() {}

  /// - Throws: a ``Failure`` for what is not an option of ours.
  init(_ arguments: some Sequence<String>) throws(Failure) {
    var rest = Array(arguments)[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { throw Failure("\(name) needs a value", hint: Self.usage, exitStatus: .usage) }
      let number = Int(value).flatMap { (1...100_000).contains($0) ? $0 : nil }
      switch (name, UInt64(value), number) {
      case ("--svg", _, _): svg = value
      case ("--seed", let seed?, _): self.seed = seed
      case ("--laptops", _, let number?): laptops = number
      case ("--sessions", _, let number?): sessions = number
      case ("--days", _, let number?): days = number
      default: throw Failure("\(name) \(value) is not understood", hint: Self.usage, exitStatus: .usage)
      }
    }
  }
}
