import VaultDatabase
import VaultModel
import VaultSecrets

/// The secret of a virtual MFA device, which the vault holds for users who accept that.
public struct MFASecretRecord: Sendable, Hashable {
  /// `otp_…`
  public var id: String
  public var mfaSerial: String
}

extension VaultStore {
  private func mfaSecret(of serial: String) throws -> MFASecretRecord? {
    try database.statement("SELECT id FROM totp WHERE mfa_serial = ?").begin().bind(serial).first {
      MFASecretRecord(id: $0.text(0), mfaSerial: serial)
    }
  }

  /// Seals the secret of a device, replacing any earlier one.
  public func putMFASecret(_ secret: SecretBytes, serial: String, requester: Requester) throws {
    guard cipher != nil else { throw StoreError.locked }
    try change { store in
      let known = try store.mfaSecret(of: serial)
      let record = known ?? MFASecretRecord(id: Identifier.make("otp"), mfaSerial: serial)
      if known == nil {
        try store.database.statement("INSERT INTO totp (id, mfa_serial, created_at) VALUES (?, ?, ?)").begin()
          .bind(record.id).bind(serial).bind(store.clock.now().milliseconds).run()
      }
      let version = try store.seal(secret, for: SecretIdentity(record))
      var event = AuditEvent(action: .mfaSecretAdded, outcome: .success, trigger: .manual, requester: requester)
      event.detail = serial
      try store.append(event, subject: (record.id, version))
    }
  }

  /// - Returns: nil if the vault holds none for the device.
  public func openMFASecret(serial: String) throws -> SecretBytes? {
    guard cipher != nil else { throw StoreError.locked }
    return try mfaSecret(of: serial).map { try open(SecretIdentity($0)) }
  }

  /// Destroys a device's secret.
  ///
  /// - Returns: false if there was none.
  @discardableResult
  public func removeMFASecret(serial: String, requester: Requester) throws -> Bool {
    guard let record = try mfaSecret(of: serial) else { return false }
    try change { store in
      let version = try store.destroy(table: "totp", row: record.id)
      try store.database.statement("DELETE FROM totp WHERE id = ?").begin().bind(record.id).run()
      var event = AuditEvent(action: .mfaSecretRemoved, outcome: .success, trigger: .manual, requester: requester)
      event.detail = serial
      try store.append(event, subject: (record.id, version))
    }
    return true
  }
}
