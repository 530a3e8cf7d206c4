import VaultModel
import VaultSecrets

/// Seals and opens one credential of typical length, for `bench/Inside`: the work of a delivery, and no more.
package struct SealTrial {
  private let cipher = EnvelopeCipher(master: SecretBytes.random(count: 32), id: KeyID.random())
  private let secret = SecretBytes(String(repeating: "IQoJb3JpZ2luX2Vj", count: 62))

  package init() {}

  /// - Returns: whether it opened.
  package func sealAndOpen(_ number: Int) -> Bool {
    let owner = SecretIdentity(
      table: "session", row: "ses_\(number)", profile: "app", facts: ["role", "arn", "f", "ASIA", "0", "1"])
    let place = AssociatedData(owner: owner, version: 1, createdAt: Timestamp(seconds: 0))
    return (try? cipher.open(cipher.seal(secret, at: place), at: place)) != nil
  }
}
