import CSecret
import VaultBytes
import VaultModel
import VaultSecrets

/// Why a call to the Secret Service failed.
enum SecretServiceFailure: Error {
  /// The service ended, was restarted, or lost the object. A new connection may succeed.
  case gone
  case store(KeyStoreError)
}

/// A connection to the Secret Service.
///
/// A service may ask the user once per connection (KeePassXC), so one is kept (``KeptConnection``). One thread at a time uses it.
final class SecretServiceConnection {
  let service: UnsafeMutablePointer<SecretService>
  private let bus: OpaquePointer
  private let context: OpaquePointer
  /// The deadline of the current operation.
  private(set) var deadline: Deadline
  let timeouts: Timeouts
  /// Whether a user was asked something during the current operation.
  private(set) var hasAsked = false

  /// Timeouts, in whole seconds.
  struct Timeouts: Sendable {
    /// For all answers of one operation together.
    var answer = 3
    /// For a user.
    var prompt = 60
  }

  /// The paths found by a search.
  struct Found {
    var unlocked: [String]
    var locked: [String]
    var isEmpty: Bool { unlocked.isEmpty && locked.isEmpty }
  }

  private init(
    service: UnsafeMutablePointer<SecretService>, bus: OpaquePointer, context: OpaquePointer, deadline: Deadline,
    timeouts: Timeouts
  ) {
    self.service = service
    self.bus = bus
    self.context = context
    self.deadline = deadline
    self.timeouts = timeouts
  }

  deinit {
    let (service, bus) = (service, bus)
    Self.with(context) {
      g_object_unref(service)
      Self.close(bus)
    }
    g_main_context_unref(context)
  }

  /// Connects.
  static func open(
    address: String, deadline: Deadline, timeouts: Timeouts
  ) throws(SecretServiceFailure) -> SecretServiceConnection {
    let context: OpaquePointer = g_main_context_new()
    do throws(SecretServiceFailure) {
      return try with(context) { () throws(SecretServiceFailure) in
        var error: UnsafeMutablePointer<GError>?
        guard let bus = vault_bus_connect(address, deadline.cancellable, &error) else {
          let reason = consumeText(&error)
          throw .store(deadline.hasPassed ? .timedOut(seconds: timeouts.answer) : .noSessionBus(reason))
        }
        guard let service = vault_secret_service_new(bus, deadline.cancellable, &error) else {
          close(bus)
          throw failure(&error, deadline: deadline, timeouts: timeouts)
        }
        return SecretServiceConnection(service: service, bus: bus, context: context, deadline: deadline, timeouts: timeouts)
      }
    } catch {
      g_main_context_unref(context)
      throw error
    }
  }

  /// Performs an operation within its deadline.
  func perform<Result>(
    within deadline: Deadline, _ work: (SecretServiceConnection) throws(SecretServiceFailure) -> Result
  ) throws(SecretServiceFailure) -> Result {
    self.deadline = deadline
    hasAsked = false
    return try Self.with(context) { () throws(SecretServiceFailure) in try work(self) }
  }

  /// Signals are delivered to a private context, where they are dispatched or dropped, so they never pile up in a global one.
  private static func with<Result, Failure>(_ context: OpaquePointer, _ body: () throws(Failure) -> Result) throws(Failure)
    -> Result
  {
    g_main_context_push_thread_default(context)
    defer {
      while g_main_context_iteration(context, 0) != 0 {}
      g_main_context_pop_thread_default(context)
    }
    return try body()
  }

  private static func close(_ bus: OpaquePointer) {
    // Flushes pending messages; waits for nothing.
    g_dbus_connection_close_sync(bus, nil, nil)
    g_object_unref(UnsafeMutableRawPointer(bus))
  }

  /// The items of a key, or of all keys of the vault, in any collection.
  ///
  /// - Parameter mayPrompt: the default collection is locked. A service may ask for its password before it answers (KeePassXC does),
  ///   so the user's timeout applies.
  func search(vaultId: String, keyId: KeyID?, mayPrompt: Bool) throws(SecretServiceFailure) -> Found {
    try search(vault_master_key_attributes(vaultId, keyId?.description), mayPrompt: mayPrompt)
  }

  /// The item that holds the vault's anchored checkpoint.
  func searchCheckpoint(vaultId: String, mayPrompt: Bool) throws(SecretServiceFailure) -> Found {
    try search(vault_anchor_attributes(vaultId), mayPrompt: mayPrompt)
  }

  /// Takes ownership of the attributes.
  private func search(_ attributes: OpaquePointer?, mayPrompt: Bool) throws(SecretServiceFailure) -> Found {
    defer { g_hash_table_unref(attributes) }
    if mayPrompt { deadline.allow(seconds: timeouts.prompt) }
    defer { if mayPrompt { deadline.allow(seconds: timeouts.answer) } }
    var unlocked: UnsafeMutablePointer<UnsafeMutablePointer<gchar>?>?
    var locked: UnsafeMutablePointer<UnsafeMutablePointer<gchar>?>?
    var error: UnsafeMutablePointer<GError>?
    let found = secret_service_search_for_dbus_paths_sync(
      service, vault_master_key_schema(), attributes, deadline.cancellable, &unlocked, &locked, &error)
    guard found != 0 else { throw failure(&error) }
    return Found(unlocked: consumeStrings(unlocked), locked: consumeStrings(locked))
  }

  /// The path of the collection with this alias, nil if there is none.
  func collection(alias: String) throws(SecretServiceFailure) -> String? {
    var error: UnsafeMutablePointer<GError>?
    let path = secret_service_read_alias_dbus_path_sync(service, alias, deadline.cancellable, &error)
    if error != nil { throw failure(&error) }
    // libsecret passes "/" on as it is, or as NULL.
    guard let path = consumeString(path), path != "/" else { return nil }
    return path
  }

  func isLocked(collection path: String) throws(SecretServiceFailure) -> Bool {
    var error: UnsafeMutablePointer<GError>?
    let flag = vault_secret_flag(service, path, "org.freedesktop.Secret.Collection", "Locked", deadline.cancellable, &error)
    guard flag >= 0 else { throw failure(&error) }
    return flag != 0
  }

  /// The key that an item holds; nil if the service does not report it.
  func keyId(item path: String) throws(SecretServiceFailure) -> KeyID? {
    var error: UnsafeMutablePointer<GError>?
    let text = vault_secret_item_attribute(service, path, "key-id", deadline.cancellable, &error)
    if error != nil { throw failure(&error) }
    return consumeString(text).flatMap { KeyID($0) }
  }

  /// The key in an unlocked item; nil if its content is not a key.
  func key(item path: String) throws(SecretServiceFailure) -> SecretBytes? {
    try read(path) { SecretHex.decoded($0, count: masterKeyLength) }
  }

  /// The text in an unlocked item, not secret; nil if the content is not text.
  func text(item path: String) throws(SecretServiceFailure) -> String? {
    try read(path) { $0.count <= 1_024 ? String(decoding: $0, as: UTF8.self) : nil }
  }

  /// Lends the content of an unlocked item.
  func read<Content>(_ path: String, _ content: (UnsafeRawBufferPointer) -> Content?) throws(SecretServiceFailure)
    -> Content?
  {
    var error: UnsafeMutablePointer<GError>?
    let value = secret_service_get_secret_for_dbus_path_sync(service, path, deadline.cancellable, &error)
    if error != nil { throw failure(&error, item: path) }
    guard let value else { throw .gone }
    // The value is in libsecret's own locked memory, and is wiped when it is released.
    defer { secret_value_unref(UnsafeMutableRawPointer(value)) }
    var length: gsize = 0
    guard let text = secret_value_get(value, &length) else { return nil }
    return content(UnsafeRawBufferPointer(start: text, count: Int(length)))
  }

  /// Updates the checkpoint in the existing item.
  func setCheckpoint(_ line: String, item path: String) throws(SecretServiceFailure) {
    guard let value = secret_value_new(line, gssize(line.utf8.count), "text/plain") else {
      throw .store(.other("no memory for an item"))
    }
    defer { secret_value_unref(UnsafeMutableRawPointer(value)) }
    var error: UnsafeMutablePointer<GError>?
    guard vault_secret_set(service, path, value, deadline.cancellable, &error) != 0 else { throw failure(&error, item: path) }
  }

  /// Creates the item for the checkpoint.
  ///
  /// - Parameter mayAsk: if false, a service that would prompt is told not to.
  func createCheckpoint(_ line: String, vaultId: String, mayAsk: Bool, in collection: String) throws(SecretServiceFailure) {
    try make(
      secret_value_new(line, gssize(line.utf8.count), "text/plain"), label: "vault audit log", vault_anchor_attributes(vaultId),
      mayAsk: mayAsk, in: collection)
  }

  /// Creates an item for a key, beside any existing ones.
  func create(_ key: SecretBytes, label: String, vaultId: String, keyId: KeyID, in collection: String)
    throws(SecretServiceFailure)
  {
    // 64 digits: some services store text only (KeePassXC, pass).
    let value = SecretHex.encoded(key).withBytes { text in
      secret_value_new(text.baseAddress?.assumingMemoryBound(to: gchar.self), gssize(text.count), "text/plain")
    }
    try make(value, label: label, vault_master_key_attributes(vaultId, keyId.description), mayAsk: true, in: collection)
  }

  /// Takes ownership of the value and the attributes.
  private func make(
    _ value: OpaquePointer?, label: String, _ attributes: OpaquePointer?, mayAsk: Bool, in collection: String
  ) throws(SecretServiceFailure) {
    defer { g_hash_table_unref(attributes) }
    guard let value else { throw .store(.other("no memory for an item")) }
    defer { secret_value_unref(UnsafeMutableRawPointer(value)) }
    var error: UnsafeMutablePointer<GError>?
    let prompt = vault_secret_create_item(
      service, collection, label, attributes, value, 0, deadline.cancellable, &error)
    guard let prompt = consumeString(prompt) else { throw failure(&error, item: collection + "/") }
    guard mayAsk || prompt == "/" else {
      vault_secret_dismiss_prompt(service, prompt)
      throw .store(.locked(collection: name(collection: collection)))
    }
    try show(prompt, collection: collection)
  }

  /// Deletes an item.
  func delete(item path: String) throws(SecretServiceFailure) {
    var error: UnsafeMutablePointer<GError>?
    let prompt = vault_secret_delete_item(service, path, deadline.cancellable, &error)
    guard let prompt = consumeString(prompt) else { throw failure(&error, item: path) }
    try show(prompt, collection: parent(path))
  }

  /// Unlocks a collection, or the one that contains an item. The service may ask the user.
  ///
  /// Always attempted, whatever the state: a keyring with an empty password reports that it is locked, but opens without a prompt.
  func unlock(_ path: String, collection: String) throws(SecretServiceFailure) {
    var error: UnsafeMutablePointer<GError>?
    let prompt = vault_secret_unlock(service, path, deadline.cancellable, &error)
    guard let prompt = consumeString(prompt) else { throw failure(&error) }
    try show(prompt, collection: collection)
  }

  /// A collection's name, as the user knows it.
  func name(collection path: String) -> String {
    let label = consumeString(
      vault_secret_text(service, path, "org.freedesktop.Secret.Collection", "Label", deadline.cancellable, nil))
    let text = label.flatMap { $0.isEmpty ? nil : $0 } ?? String(path.split(separator: "/").last ?? "default")
    return safeText(String(text.prefix(64)))
  }

  /// The collection that contains an item.
  func parent(_ item: String) -> String {
    String(item[..<(item.lastIndex(of: "/") ?? item.endIndex)])
  }

  private func show(_ prompt: String, collection: String) throws(SecretServiceFailure) {
    guard prompt != "/" else { return }
    let wait = PromptWait(service: service, path: prompt, context: context, cancellable: deadline.cancellable)
    var error: UnsafeMutablePointer<GError>?
    hasAsked = true
    guard vault_secret_show_prompt(service, prompt, deadline.cancellable, &error) != 0 else { throw failure(&error) }
    deadline.allow(seconds: timeouts.prompt)
    let outcome = wait.run()
    switch outcome {
    case .done: deadline.allow(seconds: timeouts.answer)
    case .dismissed:
      deadline.allow(seconds: timeouts.answer)
      throw .store(.promptDismissed(collection: name(collection: collection)))
    case .serviceGone: throw .store(.other("the service exited while its prompt was open"))
    case .unanswered:
      vault_secret_dismiss_prompt(service, prompt)
      throw .store(.promptUnanswered(seconds: timeouts.prompt))
    }
  }

  func failure(_ error: inout UnsafeMutablePointer<GError>?, item: String? = nil) -> SecretServiceFailure {
    if let failure = error, !deadline.hasPassed, vault_dbus_failure(failure) == VAULT_DBUS_LOCKED {
      g_clear_error(&error)
      return .store(.locked(collection: item.map { name(collection: parent($0)) } ?? "default"))
    }
    return Self.failure(&error, deadline: deadline, timeouts: timeouts)
  }

  private static func failure(
    _ error: inout UnsafeMutablePointer<GError>?, deadline: Deadline, timeouts: Timeouts
  ) -> SecretServiceFailure {
    let kind = error.map { vault_dbus_failure($0) } ?? VAULT_DBUS_OTHER
    let text = consumeText(&error)
    if deadline.hasPassed { return .store(.timedOut(seconds: timeouts.answer)) }
    switch kind {
    case VAULT_DBUS_NO_SERVICE: return .store(.noService)
    case VAULT_DBUS_SERVICE_GONE, VAULT_DBUS_NO_SUCH_OBJECT: return .gone
    case VAULT_DBUS_LOCKED: return .store(.locked(collection: "default"))
    default: return .store(.other(text))
    }
  }
}

/// An error's text without the leading D-Bus name, limited in length and safe for a terminal. Frees the error.
private func consumeText(_ error: inout UnsafeMutablePointer<GError>?) -> String {
  guard let failure = error else { return "no reason given" }
  g_dbus_error_strip_remote_error(failure)
  let text = failure.pointee.message.map { String(cString: $0) } ?? ""
  g_clear_error(&error)
  return text.isEmpty ? "no reason given" : safeText(String(text.prefix(200)))
}

/// Converts a GLib string. Frees it.
func consumeString(_ text: UnsafeMutablePointer<gchar>?) -> String? {
  guard let text else { return nil }
  defer { g_free(text) }
  return String(cString: text)
}

/// Converts a list of GLib strings. Frees it.
func consumeStrings(_ list: UnsafeMutablePointer<UnsafeMutablePointer<gchar>?>?) -> [String] {
  guard let list else { return [] }
  defer { g_strfreev(list) }
  var strings: [String] = []
  while strings.count < 1_000, let text = list[strings.count] { strings.append(String(cString: text)) }
  return strings
}
