import CSecret
import VaultBytes
import VaultModel
import VaultSecrets

/// Items that other programs have put in the desktop's keyring. They are only read.
public struct ForeignKeyring: Sendable {
  /// One item.
  public struct Item: Sendable {
    public let label: String
    /// Nil if it was not asked for.
    public let secret: SecretBytes?
  }

  private static let maxItems = 1_000
  private static let maxBytes = 1 << 20
  private let store: SecretServiceKeyStore

  /// - Parameter buses: the possible addresses of the session bus, best first.
  public init(buses: @escaping @Sendable () -> [String]) { store = SecretServiceKeyStore(vaultId: "", buses: buses) }

  /// The items of a collection, by label; nil if there is no such collection.
  ///
  /// - Parameter withSecrets: also unlock the collection, for which the desktop may ask the person, and read the items' content.
  /// - Throws: `locked` if the collection is locked and must stay so.
  public func items(inCollection name: String, withSecrets: Bool) async throws(KeyStoreError) -> [Item]? {
    try await store.perform { connection throws(SecretServiceFailure) in
      guard let path = try connection.collections().first(where: { Self.decoded($0) == "\(Self.root)/\(name)" }) else {
        return nil
      }
      if try connection.isLocked(collection: path) {
        // Not even the labels of a locked collection can be trusted to be shown.
        guard withSecrets else { throw .store(.locked(collection: connection.name(collection: path))) }
        try connection.unlock(path, collection: path)
      }
      var items: [Item] = []
      for item in try connection.items(of: path).prefix(Self.maxItems) {
        let secret = withSecrets ? try connection.content(item: item, atMost: Self.maxBytes) : nil
        items.append(Item(label: connection.label(item: item), secret: secret))
      }
      return items.sorted { $0.label < $1.label }
    }
  }

  /// The content of the item that keytar has stored for an account of a service, in any collection; nil if there is none.
  public func password(service: String, account: String) async throws(KeyStoreError) -> SecretBytes? {
    try await store.perform { connection throws(SecretServiceFailure) in
      let found = try connection.search(service: service, account: account)
      if let item = found.unlocked.first { return try connection.content(item: item, atMost: Self.maxBytes) }
      guard let item = found.locked.first else { return nil }
      try connection.unlock(item, collection: connection.parent(item))
      return try connection.content(item: item, atMost: Self.maxBytes)
    }
  }

  private static let root = "/org/freedesktop/secrets/collection"

  /// gnome-keyring writes each byte of a name that a path cannot hold as `_` and two digits.
  static func decoded(_ path: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(path.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "_"), let code = Hexadecimal.byte(rest.first, rest.dropFirst().first) {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension SecretServiceConnection {
  fileprivate func collections() throws(SecretServiceFailure) -> [String] {
    try paths(of: "/org/freedesktop/secrets", "org.freedesktop.Secret.Service", "Collections")
  }

  fileprivate func items(of collection: String) throws(SecretServiceFailure) -> [String] {
    try paths(of: collection, "org.freedesktop.Secret.Collection", "Items")
  }

  private func paths(of object: String, _ type: String, _ name: String) throws(SecretServiceFailure) -> [String] {
    var error: UnsafeMutablePointer<GError>?
    let paths = vault_secret_paths(service, object, type, name, deadline.cancellable, &error)
    if error != nil { throw failure(&error) }
    return consumeStrings(paths)
  }

  fileprivate func label(item path: String) -> String {
    deadline.allow(seconds: timeouts.answer)
    return consumeString(
      vault_secret_text(service, path, "org.freedesktop.Secret.Item", "Label", deadline.cancellable, nil)) ?? ""
  }

  fileprivate func content(item path: String, atMost maximum: Int) throws(SecretServiceFailure) -> SecretBytes? {
    deadline.allow(seconds: timeouts.answer)
    return try read(path) { $0.count <= maximum ? SecretBytes(copying: $0) : nil }
  }

  fileprivate func search(service name: String, account: String) throws(SecretServiceFailure) -> Found {
    let attributes = vault_account_attributes(name, account)
    defer { g_hash_table_unref(attributes) }
    var unlocked: UnsafeMutablePointer<UnsafeMutablePointer<gchar>?>?
    var locked: UnsafeMutablePointer<UnsafeMutablePointer<gchar>?>?
    var error: UnsafeMutablePointer<GError>?
    let found = secret_service_search_for_dbus_paths_sync(
      service, nil, attributes, deadline.cancellable, &unlocked, &locked, &error)
    guard found != 0 else { throw failure(&error) }
    return Found(unlocked: consumeStrings(unlocked), locked: consumeStrings(locked))
  }
}
