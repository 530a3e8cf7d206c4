import VaultModel

/// The template for the names of discovered profiles: `{account}-{role}`.
struct ProfileTemplate {
  private enum Piece {
    case text(String)
    case account, accountId, email, role
  }
  private let pieces: [Piece]

  /// - Throws: usage, if it has an unknown placeholder, or would give every profile the same name.
  init(_ text: String) throws(Failure) {
    var pieces: [Piece] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "{") {
      if open > rest.startIndex { pieces.append(.text(String(rest[..<open]))) }
      guard let close = rest[open...].firstIndex(of: "}") else {
        throw Failure("--template: missing } after {", exitStatus: .usage)
      }
      let name = rest[rest.index(after: open)..<close]
      switch name {
      case "account": pieces.append(.account)
      case "account-id": pieces.append(.accountId)
      case "email": pieces.append(.email)
      case "role": pieces.append(.role)
      default:
        throw Failure(
          "--template: unknown placeholder {\(name)}", hint: "use {account}, {account-id}, {email} and {role}",
          exitStatus: .usage)
      }
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { pieces.append(.text(String(rest))) }
    guard pieces.contains(where: { if case .text = $0 { false } else { true } }) else {
      throw Failure("--template: all profiles would get the same name", hint: "for example {account}-{role}", exitStatus: .usage)
    }
    self.pieces = pieces
  }

  /// Names all of them. Accounts with the same name are distinguished by their numbers; names that are still equal are numbered.
  func name(_ choices: inout [DiscoverCommand.Choice]) {
    var count: [String: Int] = [:]
    for index in choices.indices {
      choices[index].profile = name(choices[index])
      count[choices[index].profile, default: 0] += 1
    }
    for index in choices.indices where count[choices[index].profile, default: 0] > 1 {
      choices[index].profile += "-" + choices[index].account
    }
    var taken: Set<String> = []
    for index in choices.indices {
      let name = choices[index].profile
      var number = 2
      while !taken.insert(choices[index].profile).inserted {
        choices[index].profile = "\(name)-\(number)"
        number += 1
      }
    }
  }

  private func name(_ choice: DiscoverCommand.Choice) -> String {
    Self.cleaned(
      pieces.map { piece in
        switch piece {
        case .text(let text): text
        case .account: choice.accountName.isEmpty ? choice.account : choice.accountName
        case .accountId: choice.account
        case .email: choice.email
        case .role: choice.role
        }
      }.joined())
  }

  /// A valid profile name in every AWS config file: blanks and other characters become `-`.
  private static func cleaned(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "@"),
        UInt8(ascii: "+"):
        bytes.append(byte)
      default: if bytes.last != UInt8(ascii: "-") { bytes.append(UInt8(ascii: "-")) }
      }
    }
    let name = String(decoding: bytes.drop { $0 == UInt8(ascii: "-") }.prefix(200), as: UTF8.self)
    return name.isEmpty ? "profile" : name
  }
}
