import AWSClient
import VaultBytes
import VaultConcurrency
import VaultKeys
import VaultModel
import VaultSecrets

/// The stores of the Go library `keyring` (99designs), in which aws-vault and Granted keep their items: a folder of encrypted files,
/// and a collection of the desktop's keyring.
struct KeyringLibrary: Sendable {
  /// As in ``TakeOverProgram``.
  let program: String
  let folder: String
  let collection: String
  /// The variable with the passphrase of the files.
  let passphraseVariable: String
  /// Whether the files are mostly encrypted with an empty passphrase: the program never asks for one.
  var triesEmptyPassphrase = false
  /// The store that the person chose; nil for whichever there is.
  let backend: String?

  /// An item, under the name that the program gave it.
  struct Entry: Sendable {
    let name: String
    let origin: String
    /// Nil if it was not opened: in a dry run, or because nobody wants it.
    var content: Result<SecretBytes, Fault>?
  }

  /// Why an item was not opened.
  struct Fault: Error, Hashable {
    let why: String
  }

  /// Iterations over all files together, about five seconds of work: a hostile folder could ask for hours.
  private static let maxIterations: Int64 = 20_000_000

  /// The items of all stores, sorted.
  ///
  /// - Parameter isWanted: whether the content of an item of this name is to be read.
  /// - Throws: `TakeOverError.nothing` if there is no store.
  func entries(_ stores: TheirStores, isWanted: (String) -> Bool) async throws -> [Entry] {
    var entries: [Entry] = []
    var hasStore = false
    var reasons: [String] = []
    if backend == nil || backend == "secret-service" {
      do {
        if let found = try await itemsOfKeyring(stores, isWanted: isWanted) {
          hasStore = true
          entries += found
        } else {
          reasons.append("no collection \"\(collection)\" in the keyring")
        }
      } catch let error as KeyStoreError {
        // Without a keyring there may still be the folder; a locked one is not passed over in silence.
        switch error {
        case .noSessionBus, .noService: reasons.append("no keyring")
        case .locked where stores.isDryRun:
          hasStore = true
          let fault = Fault(why: "the keyring is locked, and a dry run does not unlock it")
          entries.append(Entry(name: collection, origin: "keyring \(collection)", content: .failure(fault)))
        default: throw error
        }
      }
    }
    if backend == nil || backend == "file" {
      if let found = try await itemsOfFolder(stores, isWanted: isWanted) {
        hasStore = true
        entries += found
      } else {
        reasons.append("no folder \(stores.shown(folder))")
      }
    }
    if let backend, backend != "file", backend != "secret-service" {
      reasons.append(
        "its store \"\(backend)\" cannot be read: show each item with its own program, then `vault access-key add NAME`")
    }
    guard hasStore else { throw TakeOverError.nothing(program: program, places: reasons) }
    return entries
  }

  private func itemsOfKeyring(_ stores: TheirStores, isWanted: (String) -> Bool) async throws -> [Entry]? {
    let items = try await stores.keyring.items(inCollection: collection, withSecrets: !stores.isDryRun)
    return items?.map { item in
      let content = item.secret.flatMap { isWanted(item.label) ? data(of: $0, named: item.label) : nil }
      return Entry(name: item.label, origin: "keyring \(collection)", content: content)
    }
  }

  private func itemsOfFolder(_ stores: TheirStores, isWanted: (String) -> Bool) async throws -> [Entry]? {
    guard let files = try stores.names(in: folder) else { return nil }
    var entries: [Entry] = []
    var items: [(place: Int, file: PasswordJWE)] = []
    var work: Int64 = 0
    for file in files {
      let path = "\(folder)/\(file)"
      let name = Self.unescaped(file)
      var entry = Entry(name: name, origin: stores.shown(path))
      if name.unicodeScalars.contains("\u{FFFD}") {
        // Nothing can be read or named by the text that stands for it.
        entry.content = .failure(Fault(why: "its name is not UTF-8"))
      } else if !stores.isDryRun, isWanted(name) {
        do {
          guard let text = try stores.read(path) else { throw Fault(why: "its file is gone") }
          let item = try PasswordJWE(text)
          work += Int64(item.iterations)
          guard work <= Self.maxIterations else { throw Fault(why: "its passphrase takes too long to check") }
          items.append((entries.count, item))
        } catch {
          entry.content = .failure(Self.fault(error))
        }
      }
      entries.append(entry)
    }
    guard !items.isEmpty else { return entries }
    for (place, result) in try await open(items, stores) {
      let name = entries[place].name
      entries[place].content = result.flatMap { data(of: $0, named: name) }
    }
    return entries
  }

  private typealias Opened = [(place: Int, result: Result<SecretBytes, Fault>)]

  /// Opens the files with the passphrase, for which the person is asked once.
  private func open(_ items: [(place: Int, file: PasswordJWE)], _ stores: TheirStores) async throws -> Opened {
    if triesEmptyPassphrase {
      let opened = await Self.open(items, SecretBytes(""))
      if opened.contains(where: { (try? $0.result.get()) != nil }) { return opened }
    }
    let passphrase = try await stores.prompter.ask(
      .otherPassphrase(path: stores.shown(folder), variable: passphraseVariable))
    return await Self.open(items, passphrase)
  }

  private static func open(_ items: [(place: Int, file: PasswordJWE)], _ passphrase: SecretBytes) async -> Opened {
    await BlockingPool.shared.run {
      items.map { item in
        (item.place, Result { try item.file.open(passphrase) }.mapError { fault($0) })
      }
    }
  }

  private static func fault(_ error: any Error) -> Fault {
    switch error {
    case let fault as Fault: fault
    case PasswordJWE.Fault.wrongPassphrase: Fault(why: "the passphrase does not open it")
    case PasswordJWE.Fault.malformed(let why): Fault(why: why)
    default: Fault(why: Failure(error).message)
    }
  }

  /// The content that the library wraps in an item of its own.
  private func data(of item: SecretBytes, named name: String) -> Result<SecretBytes, Fault> {
    guard let json = JSONDocument(item), let data = json.secret("Data").flatMap({ Base64.decoded($0) }) else {
      return .failure(Fault(why: "it is not an item of the library \"keyring\""))
    }
    // Who may write the folder could put one item in another's place.
    guard json.text("Key").map({ $0 == name }) ?? true else { return .failure(Fault(why: "its content has another name")) }
    return .success(data)
  }

  /// The library escapes `/` and `%` in the name of a file.
  static func unescaped(_ file: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(file.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let code = Hexadecimal.byte(rest.first, rest.dropFirst().first) {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension KeyringLibrary.Entry {
  /// A finding for an access key in the form of the AWS SDK for Go: `AccessKeyID`, `SecretAccessKey`.
  func accessKey(note: String? = nil) -> TakeOverFinding {
    func none(_ why: String) -> TakeOverFinding { .none(.accessKey, name, from: origin, why: why) }
    let data: SecretBytes
    switch content {
    case nil:
      return TakeOverFinding(kind: .accessKey, name: name, origin: origin, offer: .accessKey(nil, mfaSerial: nil), note: note)
    case .failure(let fault): return none(fault.why)
    case .success(let content): data = content
    }
    guard let json = JSONDocument(data), let id = json.text("AccessKeyID"), let secret = json.secret("SecretAccessKey") else {
      return none("it is not an access key")
    }
    if let token = json.secret("SessionToken"), token.count > 0 { return none("it is a temporary key") }
    guard AccessKeyForm.isId(id.utf8), secret.withBytes({ AccessKeyForm.isSecret($0) }) else {
      return none("the access key is invalid")
    }
    let credential = Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: nil, expiresAt: nil)
    return TakeOverFinding(
      kind: .accessKey, name: name, origin: origin, offer: .accessKey(credential, mfaSerial: nil), note: note)
  }
}
