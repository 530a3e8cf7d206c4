import VaultDatabase
import VaultModel
import VaultSecrets

// Long-term access keys: the id in plain text, the secret sealed.
extension VaultStore {
  public func accessKeys() throws -> [AccessKeyRecord] { try AccessKeyRows.all(in: database) }

  static let accessKeyByName: StaticString = """
    SELECT id, name, access_key_id, mfa_serial, origin, created_at FROM access_key WHERE name = ? AND removed_at IS NULL
    """

  func accessKey(named name: String) throws -> AccessKeyRecord? {
    try database.statement(Self.accessKeyByName).begin().bind(name).first(AccessKeyRows.read)
  }

  /// Seals a key under a name, replacing any key of that name.
  public func addAccessKey(name: String, credential: Credential, mfaSerial: String?, requester: Requester) throws {
    try change { store in
      try store.put(
        name: name, accessKeyId: credential.accessKeyId, credential: credential, mfaSerial: mfaSerial, origin: "vault",
        trigger: .manual, requester)
    }
  }

  /// Adds or changes a key within a transaction, and logs it.
  func put(
    name: String, accessKeyId: String, credential: Credential, mfaSerial: String?, origin: String, trigger: AuditTrigger,
    _ requester: Requester
  ) throws {
    guard cipher != nil else { throw StoreError.locked }
    let known = try accessKey(named: name)
    let record = AccessKeyRecord(
      id: known?.id ?? Identifier.make("key"), name: name, accessKeyId: accessKeyId, mfaSerial: mfaSerial, origin: origin,
      createdAt: known?.createdAt ?? clock.now())
    if known == nil {
      try database.statement(
        "INSERT INTO access_key (id, name, access_key_id, mfa_serial, origin, created_at) VALUES (?, ?, ?, ?, ?, ?)"
      )
      .begin().bind(record.id).bind(name).bind(accessKeyId).bind(mfaSerial).bind(origin).bind(record.createdAt.milliseconds)
      .runOnce()
    } else {
      try database.statement("UPDATE access_key SET access_key_id = ?, mfa_serial = ?, origin = ? WHERE id = ?")
        .begin().bind(accessKeyId).bind(mfaSerial).bind(origin).bind(record.id).run()
    }
    let version = try seal(CredentialForm.join(credential), for: SecretIdentity(record))
    var event = AuditEvent(
      action: known == nil ? .accessKeyAdded : .accessKeyChanged, outcome: .success, trigger: trigger, profile: name,
      requester: requester)
    event.accessKeyId = accessKeyId
    event.detail = origin
    try append(event, subject: (record.id, version))
  }

  /// In one step: seals a new key in place of the old one, keeps the old one under another name, and records in a setting that it
  /// is still to be deleted.
  public func replaceAccessKey(
    name: String, credential: Credential, keepingOldAs oldName: String, leftOver: (setting: String, id: String),
    requester: Requester
  )
    throws
  {
    _ = try authenticRows()
    try change { store in
      let known = try store.accessKey(named: name)
      if let old = try store.openAccessKey(name: name) {
        try store.put(
          name: oldName, accessKeyId: old.accessKeyId, credential: old, mfaSerial: known?.mfaSerial, origin: "vault",
          trigger: .manual, requester)
      }
      try store.put(
        name: name, accessKeyId: credential.accessKeyId, credential: credential, mfaSerial: known?.mfaSerial,
        origin: "vault", trigger: .manual, requester)
      try store.write(leftOver.setting, leftOver.id, requester: requester)
    }
  }

  /// - Returns: nil if there is no key of this name.
  public func openAccessKey(name: String) throws -> Credential? {
    guard let record = try accessKey(named: name) else { return nil }
    let secret = try open(SecretIdentity(record))
    guard let credential = CredentialForm.split(secret, accessKeyId: record.accessKeyId, expiresAt: nil) else {
      throw SealError.malformed(row: "access_key \(record.id)")
    }
    return credential
  }

  /// Destroys a key's secret; its row stays, marked as removed.
  public func removeAccessKey(name: String, requester: Requester) throws {
    guard let record = try accessKey(named: name) else { return }
    try change { store in
      try store.database.statement("UPDATE access_key SET removed_at = ? WHERE id = ?").begin().bind(
        store.clock.now().milliseconds
      ).bind(record.id).run()
      let version = try store.destroy(table: "access_key", row: record.id)
      var event = AuditEvent(action: .accessKeyRemoved, outcome: .success, trigger: .manual, profile: name, requester: requester)
      event.accessKeyId = record.accessKeyId
      try store.append(event, subject: (record.id, version))
    }
  }
}
