/// What deriving a key from a passphrase costs (Argon2id, RFC 9106; libsodium fixes one lane).
package struct PassphraseCost: Sendable, Hashable {
  package var passes: UInt8
  package var kibibytes: UInt32

  package init(passes: UInt8, kibibytes: UInt32) {
    self.passes = passes
    self.kibibytes = kibibytes
  }

  /// libsodium's MODERATE: about a second.
  package static let moderate = PassphraseCost(passes: 3, kibibytes: 256 << 10)

  /// RFC 9106, section 4, second choice. Less is refused: a file that asks for less was not written by us.
  package static let floor = PassphraseCost(passes: 3, kibibytes: 64 << 10)

  /// More is refused before anything is derived: a file must not be able to use up the machine.
  package static let cap = PassphraseCost(passes: 8, kibibytes: 1 << 20)

  var isAllowed: Bool {
    (PassphraseCost.floor.passes...PassphraseCost.cap.passes).contains(passes)
      && (PassphraseCost.floor.kibibytes...PassphraseCost.cap.kibibytes).contains(kibibytes)
  }
}
