/// The cost of deriving a key from a passphrase (Argon2id, RFC 9106; libsodium fixes one lane).
package struct PassphraseCost: Sendable, Hashable {
  package var passes: UInt8
  package var kibibytes: UInt32

  package init(passes: UInt8, kibibytes: UInt32) {
    self.passes = passes
    self.kibibytes = kibibytes
  }

  /// libsodium's MODERATE: about a second.
  package static let moderate = PassphraseCost(passes: 3, kibibytes: 256 << 10)

  /// RFC 9106, section 4, second choice. Less is refused: the vault writes no such file.
  package static let floor = PassphraseCost(passes: 3, kibibytes: 64 << 10)

  /// More is refused before the derivation starts: a file must not be able to exhaust the machine.
  package static let cap = PassphraseCost(passes: 8, kibibytes: 1 << 20)

  var isAllowed: Bool {
    (PassphraseCost.floor.passes...PassphraseCost.cap.passes).contains(passes)
      && (PassphraseCost.floor.kibibytes...PassphraseCost.cap.kibibytes).contains(kibibytes)
  }
}
