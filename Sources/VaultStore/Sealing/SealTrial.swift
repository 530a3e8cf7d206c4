import VaultModel
import VaultSecrets

/// Seals and opens one credential of usual length, for `bench/Inside`: what a delivery does, and no more.
package struct SealTrial {
  private let sealer = Sealer(master: SecretBytes.random(count: 32), id: KeyID.random())
  private let secret = SecretBytes(String(repeating: "IQoJb3JpZ2luX2Vj", count: 62))

  package init() {}

  /// - Returns: whether it opened.
  package func sealAndOpen(_ number: Int) -> Bool {
    let owner = SecretOwner(
      table: "session", row: "ses_\(number)", profile: "app", facts: ["role", "arn", "f", "ASIA", "0", "1"])
    let place = SealedPlace(owner: owner, version: 1, createdAt: Timestamp(seconds: 0))
    return (try? sealer.open(sealer.seal(secret, at: place), at: place)) != nil
  }
}
