import AWSClient
import VaultModel
import VaultSecrets
import VaultWire

/// A question for the person or the client.
enum Question: Sendable, Hashable {
  case mfaCode(serial: String, profile: String)
  case passphrase(vault: String)
  case newPassphrase(vault: String, minimumLength: Int)
  /// For a backup of the master key that is being made, and for one that is to be opened.
  case backupPassphrase(key: String, minimumLength: Int)
  case copyPassphrase(path: String)
  /// The passphrase of another program's store, which may be in the variable that the program reads.
  case otherPassphrase(path: String, variable: String)
  /// An identity provider's SAML response.
  case assertion(profile: String)
  /// Why a guarded profile is needed.
  case reason(profile: String)
  /// Variables of the requester's environment; no person is asked.
  case variables([String])
  /// Whether the vault may send secrets to a place from now on. The person who agrees writes the setting that says so.
  case trust(UntrustedPlace, sending: String)
  /// Whether a new vault's key is to be kept under a passphrase, since there is no keyring.
  case passphraseStore
  /// The requester's environment, for a program that runs for them; no person is asked.
  case environment

  var text: String {
    switch self {
    case .mfaCode(let serial, let profile): "MFA code for \(profile) (\(serial)):"
    case .passphrase: "Vault passphrase:"
    case .assertion(let profile): "SAML assertion (Base64) for \(profile):"
    case .reason(let profile): "Reason for using \(profile):"
    case .variables(let names): names.joined(separator: " ")
    case .trust(.endpoint(let origin, let variable), let what):
      "\(variable) names \(origin), which is not an AWS endpoint. It would receive \(what). Trust it from now on? [y/N]"
    case .trust(.certificates(let path, _, let variable), let what):
      "\(variable) names the certificates in \(path). Anyone with their keys would receive \(what). Trust them from now on? [y/N]"
    case .environment: "your environment"
    case .passphraseStore: "There is no keyring here that could hold the vault's key. Protect it with a passphrase instead?"
    case .backupPassphrase(let key, let length): "New passphrase for the backup of key \(key) (at least \(length) characters):"
    case .copyPassphrase(let path), .otherPassphrase(let path, _): "Passphrase for \(path):"
    case .newPassphrase(_, let length): "New passphrase for the vault (at least \(length) characters):"
    }
  }

  /// Tells the client whether to echo, and where an answer may already be.
  var kind: PromptKind {
    switch self {
    case .mfaCode: .mfaCode
    case .passphrase, .copyPassphrase: .passphrase
    case .newPassphrase, .backupPassphrase: .newPassphrase
    case .assertion: .assertion
    case .reason: .reason
    case .otherPassphrase: .otherPassphrase
    case .variables: .variables
    case .trust: .trust
    case .environment: .environment
    case .passphraseStore: .yesNo
    }
  }
}

/// The person who waits: a client's terminal in production, a script in tests.
protocol Prompter: Sendable {
  /// Whether there is a client, whose environment can be read and whose person can be asked.
  var isInteractive: Bool { get }
  /// - Throws: if nobody answers.
  func ask(_ question: Question) async throws -> SecretBytes
  /// Shows a line; more follows.
  func notice(_ text: String)
  /// Shows what the work is waiting for, if the wait is long.
  func progress(_ text: String)
  /// Shows a page that the person must open.
  func show(_ page: Page)
}

extension Prompter {
  var isInteractive: Bool { true }
}

/// The person at the other end of a connection.
struct ConnectionPrompter: Prompter {
  let connection: ClientConnection

  func ask(_ question: Question) async throws -> SecretBytes {
    let prompt = Prompt {
      ($0.kind, $0.text) = (question.kind, question.text)
      if case .variables(let names) = question { $0.names = names }
      if case .otherPassphrase(_, let variable) = question { $0.names = [variable] }
      if case .trust(let place, _) = question { ($0.setting, $0.value) = place.setting }
      switch question {
      case .newPassphrase(_, let length), .backupPassphrase(_, let length): $0.minimum = length
      default: break
      }
    }
    return SecretBytes(try await connection.ask(try .frame(.prompt, prompt)).value() as WireBytes)
  }

  func notice(_ text: String) { send(.notice, text) }
  func progress(_ text: String) { send(.progress, text) }

  func show(_ page: Page) {
    var page = page
    page.rows = QRCode.rows(page.url)
    send(.page, page)
  }

  private func send(_ kind: MessageKind, _ value: some FieldValue) {
    // If the client has gone, nobody needs the message.
    if let frame = try? WireBuffer.frame(kind, value) { try? connection.send(frame) }
  }
}

/// The client of a process that acts by itself: its environment can be read, but it answers for no person. So it cannot unlock the
/// vault, nor agree to anything.
struct TreePrompter: Prompter {
  let client: ConnectionPrompter

  func ask(_ question: Question) async throws -> SecretBytes {
    switch question {
    case .environment, .variables: return try await client.ask(question)
    default: throw AgentError.nobodyToAsk(question: question.text)
    }
  }

  func notice(_ text: String) { client.notice(text) }
  func progress(_ text: String) { client.progress(text) }
  func show(_ page: Page) {}
}

/// Nobody: for work that the agent starts itself.
struct NonInteractivePrompter: Prompter {
  var isInteractive: Bool { false }
  func ask(_ question: Question) async throws -> SecretBytes { throw AgentError.nobodyToAsk(question: question.text) }
  func notice(_ text: String) {}
  func progress(_ text: String) {}
  func show(_ page: Page) {}
}

/// The prompter of the current task, for parts such as the key store that are built before any request.
enum CurrentPrompter {
  @TaskLocal static var value: any Prompter = NonInteractivePrompter()
  /// The requester's environment, as far as it was sent.
  @TaskLocal static var environment: [String: String] = [:]
}
