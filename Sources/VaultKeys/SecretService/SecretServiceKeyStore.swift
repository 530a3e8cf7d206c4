import Synchronization
import VaultBytes
import VaultModel
import VaultSecrets

/// Master keys in the desktop's keyring, over the freedesktop.org Secret Service: gnome-keyring, KWallet, KeePassXC and others.
///
/// One item a key, in the default collection. A collection of our own would need a prompt to make and another to unlock, which is
/// what users of such tools complain of most. libsecret's `secret_service_store` and `secret_password_…` are not used: they
/// make a collection, or write a file, where there is no default one.
public struct SecretServiceKeyStore: KeyStore {
  /// Secret Service.
  public let kind = KeyStoreKind.secretService
  private let vaultId: String
  private let buses: @Sendable () -> [String]
  /// The bus that has the keyring, once it was found.
  private let working = WorkingBus()
  private let timeouts: SecretServiceConnection.Timeouts
  private let thread = SerialThread()
  private let kept = KeptConnection()

  /// - Parameters:
  ///   - vaultId: parts the items of several vaults in one keyring.
  ///   - buses: where the session bus may be (D-Bus Specification, "Server Addresses"), best first; asked each time, since a login comes
  ///     and goes while this lives.
  public init(vaultId: String, buses: @escaping @Sendable () -> [String]) {
    self.init(vaultId: vaultId, buses: buses, timeouts: SecretServiceConnection.Timeouts())
  }

  /// - Parameter busAddress: the one place; nil for none.
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

  /// Unlocks what must be; the desktop may ask the person.
  ///
  /// - Throws: `keyMissing` only where the default collection is open and no item, locked or not, is found.
  public func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes {
    try await perform { connection throws(SecretServiceFailure) in
      guard let key = try stored(id, connection) else { throw .store(.keyMissing(id)) }
      return key
    }
  }

  /// Makes an item in the default collection and reads it back.
  ///
  /// - Throws: `keyExists`, `noDefaultCollection`, `volatileCollection`, and whatever ``read(_:)`` throws.
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
        throw .store(.damaged(id, path: nil, reason: "the service took it and gave back something else"))
      }
    }
  }

  /// Deletes all items of this name, after unlocking what must be.
  public func remove(_ id: KeyID) async throws(KeyStoreError) {
    try await perform { connection throws(SecretServiceFailure) in
      for item in try unlocked(id, connection) { try connection.delete(item: item) }
    }
  }

  /// Asks nobody anything where an item is found; that there is none is believed of an open default collection only.
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
      let found = try connection.searchCheckpoint(vaultId: vaultId)
      if let item = found.unlocked.first { return try connection.text(item: item) }
      guard let locked = found.locked.first else { return nil }
      try connection.unlock(locked, collection: connection.parent(locked))
      return try connection.text(item: locked)
    }
  }

  /// Unlocks nothing: a locked collection or item is an error. Only a new item may take a prompt; KeePassXC has one for each, without a
  /// dialog. An existing item stays, since a service that asks the person for access to each item would ask again for a new one.
  public func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) {
    try await perform { connection throws(SecretServiceFailure) in
      let collection = try lastingCollection(connection)
      // Looked at before anything is searched for: some services ask for the password of a locked collection then (KeePassXC).
      if try connection.isLocked(collection: collection) {
        throw .store(.locked(collection: connection.name(collection: collection)))
      }
      let found = try connection.searchCheckpoint(vaultId: vaultId)
      if let item = found.unlocked.first { return try connection.setCheckpoint(line, item: item) }
      if let item = found.locked.first {
        throw .store(.locked(collection: connection.name(collection: connection.parent(item))))
      }
      try connection.createCheckpoint(line, vaultId: vaultId, mayAsk: mayAsk, in: collection)
    }
  }

  /// Runs one piece of work on the connection that is kept; once more on a new one where the service went away under it, and on the next
  /// bus where there is no keyring on one.
  private func perform<Value: Sendable>(
    _ work: @escaping @Sendable (SecretServiceConnection) throws(SecretServiceFailure) -> Value
  ) async throws(KeyStoreError) -> Value {
    var faults: [KeyStoreError] = []
    for address in working.first(of: buses()) {
      do throws(KeyStoreError) {
        if let fault = SessionBus.fault(of: address) { throw .noSessionBus("\(safeText(address)) \(fault)") }
        let value = try await perform(at: address, work)
        working.note(address)
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
        ? "neither DBUS_SESSION_BUS_ADDRESS of who asks nor XDG_RUNTIME_DIR leads to one" : reasons.joined(separator: "; "))
  }

  private func perform<Value: Sendable>(
    at address: String, _ work: @escaping @Sendable (SecretServiceConnection) throws(SecretServiceFailure) -> Value
  ) async throws(KeyStoreError) -> Value {
    let (timeouts, kept) = (timeouts, kept)
    return try await thread.run { () -> Result<Value, KeyStoreError> in
      Deadline.within(seconds: timeouts.answer) { deadline in
        for _ in 1...3 {
          let isUsed = kept.has(address)
          do throws(SecretServiceFailure) {
            return .success(try kept.connection(address, deadline, timeouts).perform(within: deadline, work))
          } catch {
            switch error {
            case .gone: kept.drop()
            case .store(let error):
              var isStale = false
              switch error {
              case .other, .noService, .noSessionBus:
                // What a restarted service, a suspend or a new login has made stale is made anew before it is believed; but nobody is
                // asked twice.
                isStale = isUsed && !kept.hasAsked
                kept.drop()
              case .timedOut: kept.drop()
              default: break
              }
              if !isStale { return .failure(error) }
            }
          }
        }
        return .failure(.other("the service ended during the call"))
      }
    }
  }

  /// The key, after unlocking what must be; nil only where it is certain that it is not there.
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

  /// Looks for items, locked or not. That there are none is believed only where the default collection is there and open: some
  /// services show nothing of a locked one (KeePassXC).
  private func find(_ id: KeyID?, _ connection: SecretServiceConnection) throws(SecretServiceFailure)
    -> SecretServiceConnection.Found
  {
    let found = try connection.search(vaultId: vaultId, keyId: id)
    guard found.isEmpty else { return found }
    guard let collection = try connection.collection(alias: "default") else { throw .store(.noDefaultCollection) }
    guard try connection.isLocked(collection: collection) else { return found }
    try unlock(collection, connection)
    return try connection.search(vaultId: vaultId, keyId: id)
  }

  private func unlock(_ collection: String, _ connection: SecretServiceConnection) throws(SecretServiceFailure) {
    try connection.unlock(collection, collection: collection)
    if try connection.isLocked(collection: collection) {
      throw .store(.locked(collection: connection.name(collection: collection)))
    }
  }

  /// The default collection, if what is put there is there tomorrow.
  private func lastingCollection(_ connection: SecretServiceConnection) throws(SecretServiceFailure) -> String {
    guard let collection = try connection.collection(alias: "default") else { throw .store(.noDefaultCollection) }
    // The alias "session" is for what is to be forgotten at logout (Secret Service API, "Aliases"; gnome-keyring has it).
    if try connection.collection(alias: "session") == collection { throw .store(.volatileCollection) }
    return collection
  }
}

/// The connection that is kept from one piece of work to the next.
///
/// `@unchecked Sendable`: only the work that a key store's ``SerialThread`` runs touches it, one piece after the other.
private final class KeptConnection: @unchecked Sendable {
  private var kept: (address: String, connection: SecretServiceConnection)?

  var hasAsked: Bool { kept?.connection.hasAsked ?? false }

  func has(_ address: String) -> Bool { kept?.address == address }

  /// The one that is kept, or a new one.
  func connection(_ address: String, _ deadline: Deadline, _ timeouts: SecretServiceConnection.Timeouts)
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

/// The bus on which the keyring was found: it stays the first to be asked, whoever asks, for as long as it is one of those there are or
/// nothing else works.
private final class WorkingBus: Sendable {
  private let address = Mutex<String?>(nil)

  func note(_ found: String) { address.withLock { $0 = found } }

  func first(of others: [String]) -> [String] {
    guard let found = address.withLock({ $0 }) else { return others }
    return [found] + others.filter { $0 != found }
  }
}
