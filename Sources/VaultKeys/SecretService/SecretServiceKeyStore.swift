import Synchronization
import VaultBytes
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Keeps master keys in the desktop's keyring, through the freedesktop.org Secret Service: gnome-keyring, KWallet, KeePassXC and
/// others.
///
/// There is one item per key, in the default collection. A separate collection would need one prompt to create and another to
/// unlock, the most common complaint of such tools' users. libsecret's `secret_service_store` and `secret_password_…` are not used:
/// without a default collection, they create one or write a file.
public struct SecretServiceKeyStore: KeyStore {
  /// Secret Service.
  public let kind = KeyStoreKind.secretService
  private let vaultId: String
  private let buses: @Sendable () -> [String]
  /// The bus that has the keyring, once found.
  private let working = WorkingBus()
  private let timeouts: SecretServiceConnection.Timeouts
  private let queue = BlockingQueue()
  private let kept = KeptConnection()

  /// - Parameters:
  ///   - vaultId: separates the items of several vaults in one keyring.
  ///   - buses: the possible addresses of the session bus (D-Bus Specification, "Server Addresses"), best first; called each time,
  ///     since logins come and go during this store's lifetime.
  public init(vaultId: String, buses: @escaping @Sendable () -> [String]) {
    self.init(vaultId: vaultId, buses: buses, timeouts: SecretServiceConnection.Timeouts())
  }

  /// - Parameter busAddress: the only address; nil for none.
  public init(vaultId: String, busAddress: String? = SessionBus.address()) {
    self.init(vaultId: vaultId, busAddress: busAddress, timeouts: SecretServiceConnection.Timeouts())
  }

  init(vaultId: String, busAddress: String?, timeouts: SecretServiceConnection.Timeouts) {
    self.init(vaultId: vaultId, buses: { busAddress.map { [$0] } ?? [] }, timeouts: timeouts)
  }

  init(vaultId: String, buses: @escaping @Sendable () -> [String], timeouts: SecretServiceConnection.Timeouts) {
    self.vaultId = vaultId
    self.buses = buses
    self.timeouts = timeouts
  }

  /// Unlocks items as needed; the desktop may ask the user.
  ///
  /// - Throws: `keyMissing` only if the default collection is open and no item, locked or not, is found.
  public func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes {
    try await perform { connection throws(SecretServiceFailure) in
      guard let key = try stored(id, connection) else { throw .store(.keyMissing(id)) }
      return key
    }
  }

  /// Creates an item in the default collection and reads it back.
  ///
  /// - Throws: `keyExists`, `noDefaultCollection`, `volatileCollection`, and the errors of ``read(_:)``.
  public func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError) {
    precondition(key.count == masterKeyLength, "a master key has \(masterKeyLength) bytes")
    try await perform { connection throws(SecretServiceFailure) in
      let collection = try lastingCollection(connection)
      if try connection.isLocked(collection: collection) { try unlock(collection, connection) }
      if let other = try stored(id, connection) {
        guard other.equals(key) else { throw .store(.keyExists(id)) }
        return
      }
      try connection.create(key, label: "vault master key (\(id))", vaultId: vaultId, keyId: id, in: collection)
      guard let back = try stored(id, connection), back.equals(key) else {
        throw .store(.damaged(id, path: nil, reason: "the service returned a different value than was stored"))
      }
    }
  }

  /// Deletes all items of this name, after unlocking them as needed.
  public func remove(_ id: KeyID) async throws(KeyStoreError) {
    try await perform { connection throws(SecretServiceFailure) in
      for item in try unlocked(id, connection) { try connection.delete(item: item) }
    }
  }

  /// Asks the user nothing if an item is found; an empty result is trusted only from an open default collection.
  public func list() async throws(KeyStoreError) -> [KeyStoreItem] {
    try await perform { connection throws(SecretServiceFailure) in
      let found = try find(nil, connection)
      var items: [KeyStoreItem] = []
      for path in found.unlocked { items.append(KeyStoreItem(id: try connection.keyId(item: path), isLocked: false)) }
      for path in found.locked { items.append(KeyStoreItem(id: try connection.keyId(item: path), isLocked: true)) }
      return items
    }
  }

  public func readCheckpoint() async throws(KeyStoreError) -> String? {
    try await perform { connection throws(SecretServiceFailure) in
      let isLocked = try defaultCollection(connection)?.isLocked ?? false
      let found = try connection.searchCheckpoint(vaultId: vaultId, mayPrompt: isLocked)
      if let item = found.unlocked.first { return try connection.text(item: item) }
      guard let locked = found.locked.first else { return nil }
      try connection.unlock(locked, collection: connection.parent(locked))
      return try connection.text(item: locked)
    }
  }

  /// Unlocks nothing: a locked collection or item is an error. Only a new item may cause a prompt; KeePassXC has one for each,
  /// without a dialog. An existing item is kept, since a service that asks the user for access per item would ask again for a new
  /// one.
  public func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) {
    try await perform { connection throws(SecretServiceFailure) in
      let collection = try lastingCollection(connection)
      // Checked before any search: some services then ask for the password of a locked collection (KeePassXC).
      if try connection.isLocked(collection: collection) {
        throw .store(.locked(collection: connection.name(collection: collection)))
      }
      let found = try connection.searchCheckpoint(vaultId: vaultId, mayPrompt: false)
      if let item = found.unlocked.first { return try connection.setCheckpoint(line, item: item) }
      if let item = found.locked.first {
        throw .store(.locked(collection: connection.name(collection: connection.parent(item))))
      }
      try connection.createCheckpoint(line, vaultId: vaultId, mayAsk: mayAsk, in: collection)
    }
  }

  /// Runs one operation on the kept connection. Retries once on a new connection if the service went away during the call, and on
  /// the next bus if there is no keyring on this one.
  func perform<Value: Sendable>(
    _ work: @escaping @Sendable (SecretServiceConnection) throws(SecretServiceFailure) -> Value
  ) async throws(KeyStoreError) -> Value {
    var faults: [KeyStoreError] = []
    for address in working.first(of: buses()) {
      do throws(KeyStoreError) {
        if let fault = SessionBus.fault(of: address) { throw .noSessionBus("\(safeText(address)) \(fault)") }
        let value = try await perform(at: address, work)
        working.record(address)
        return value
      } catch {
        switch error {
        case .noSessionBus, .noService: faults.append(error)
        default: throw error
        }
      }
    }
    if faults.contains(.noService) { throw .noService }
    let reasons = faults.compactMap { if case .noSessionBus(let reason) = $0 { reason } else { nil } }
    throw .noSessionBus(
      reasons.isEmpty
        ? "no bus at the requester's DBUS_SESSION_BUS_ADDRESS or in XDG_RUNTIME_DIR" : reasons.joined(separator: "; "))
  }

  private func perform<Value: Sendable>(
    at address: String, _ work: @escaping @Sendable (SecretServiceConnection) throws(SecretServiceFailure) -> Value
  ) async throws(KeyStoreError) -> Value {
    let (timeouts, kept) = (timeouts, kept)
    return try await queue.run { () -> Result<Value, KeyStoreError> in
      Deadline.within(seconds: timeouts.answer) { deadline in
        for _ in 1...3 {
          let isUsed = kept.has(address)
          do throws(SecretServiceFailure) {
            return .success(
              try kept.connection(to: address, deadline: deadline, timeouts: timeouts).perform(within: deadline, work))
          } catch {
            switch error {
            case .gone: kept.drop()
            case .store(let error):
              var isStale = false
              switch error {
              case .other, .noService, .noSessionBus:
                // An error of a connection that was used before may come from a restarted service, a suspend or a new login, so the
                // operation is retried on a new connection; but the user is not asked twice.
                isStale = isUsed && !kept.hasAsked
                kept.drop()
              case .timedOut: kept.drop()
              default: break
              }
              if !isStale { return .failure(error) }
            }
          }
        }
        return .failure(.other("the service exited during the call"))
      }
    }.get()
  }

  /// The key, after unlocking as needed; nil only if it is certainly missing.
  private func stored(_ id: KeyID, _ connection: SecretServiceConnection) throws(SecretServiceFailure) -> SecretBytes? {
    var key: SecretBytes?
    for item in try unlocked(id, connection) {
      guard let next = try connection.key(item: item) else {
        throw .store(.damaged(id, path: nil, reason: "it is not \(masterKeyLength * 2) hexadecimal digits"))
      }
      if let key, !key.equals(next) { throw .store(.damaged(id, path: nil, reason: "two items hold different keys")) }
      key = next
    }
    return key
  }

  /// The items of a key, all unlocked.
  private func unlocked(_ id: KeyID, _ connection: SecretServiceConnection) throws(SecretServiceFailure) -> [String] {
    let found = try find(id, connection)
    guard let locked = found.locked.first else { return found.unlocked }
    for item in found.locked { try connection.unlock(item, collection: connection.parent(item)) }
    let now = try find(id, connection)
    guard now.locked.isEmpty else {
      throw .store(.locked(collection: connection.name(collection: connection.parent(locked))))
    }
    return now.unlocked
  }

  /// Searches for items, locked or not. An empty result is trusted only if the default collection exists and is open: some services
  /// show nothing of a locked one (KeePassXC).
  private func find(_ id: KeyID?, _ connection: SecretServiceConnection) throws(SecretServiceFailure)
    -> SecretServiceConnection.Found
  {
    let collection = try defaultCollection(connection)
    let found = try connection.search(vaultId: vaultId, keyId: id, mayPrompt: collection?.isLocked ?? false)
    guard found.isEmpty else { return found }
    guard let collection else { throw .store(.noDefaultCollection) }
    guard collection.isLocked else { return found }
    try unlock(collection.path, connection)
    return try connection.search(vaultId: vaultId, keyId: id, mayPrompt: false)
  }

  private func defaultCollection(_ connection: SecretServiceConnection) throws(SecretServiceFailure)
    -> (path: String, isLocked: Bool)?
  {
    guard let path = try connection.collection(alias: "default") else { return nil }
    return (path, try connection.isLocked(collection: path))
  }

  private func unlock(_ collection: String, _ connection: SecretServiceConnection) throws(SecretServiceFailure) {
    try connection.unlock(collection, collection: collection)
    if try connection.isLocked(collection: collection) {
      throw .store(.locked(collection: connection.name(collection: collection)))
    }
  }

  /// The default collection, if it outlasts the login session.
  private func lastingCollection(_ connection: SecretServiceConnection) throws(SecretServiceFailure) -> String {
    guard let collection = try connection.collection(alias: "default") else { throw .store(.noDefaultCollection) }
    // The alias "session" is for items that are discarded at logout (Secret Service API, "Aliases"; gnome-keyring has it).
    if try connection.collection(alias: "session") == collection { throw .store(.volatileCollection) }
    return collection
  }
}

/// The connection that is kept between operations.
///
/// `@unchecked Sendable`: it is accessed only by the operations on a key store's ``BlockingQueue``, one at a time.
private final class KeptConnection: @unchecked Sendable {
  private var kept: (address: String, connection: SecretServiceConnection)?

  var hasAsked: Bool { kept?.connection.hasAsked ?? false }

  func has(_ address: String) -> Bool { kept?.address == address }

  /// The kept connection, or a new one.
  func connection(to address: String, deadline: Deadline, timeouts: SecretServiceConnection.Timeouts)
    throws(SecretServiceFailure) -> SecretServiceConnection
  {
    if let kept, kept.address == address { return kept.connection }
    kept = nil
    let connection = try SecretServiceConnection.open(address: address, deadline: deadline, timeouts: timeouts)
    kept = (address, connection)
    return connection
  }

  func drop() { kept = nil }
}

/// The bus on which the keyring was found. It is tried first by every caller while it is among the available ones, or nothing else
/// works.
private final class WorkingBus: Sendable {
  private let address = Mutex<String?>(nil)

  func record(_ found: String) { address.withLock { $0 = found } }

  func first(of others: [String]) -> [String] {
    guard let found = address.withLock({ $0 }) else { return others }
    return [found] + others.filter { $0 != found }
  }
}
