import CSystem
import Glibc
import VaultModel
import VaultWire

/// Answers the agent's prompts: asks the user, or reads the answer from where the user said it is.
enum Prompting {
  /// The answer to a prompt.
  ///
  /// - Parameter takesCode: whether `--mfa-code` could be added to the command.
  /// - Throws: refused, if nobody can be asked.
  static func answer(_ prompt: Prompt, takesCode: Bool) throws -> WireBuffer {
    let (question, kind) = (prompt.text, prompt.kind)
    switch kind {
    case .variables: return variables(prompt.names)
    case .environment: return environment()
    case .yesNo:
      let answer = WireBuffer()
      answer.append(Dialogue.agrees(question) ? "yes" : "no")
      return answer
    case .trust:
      let answer = WireBuffer()
      answer.append(try agreesToTrust(prompt) ? "yes" : "no")
      return answer
    case .assertion where isatty(0) == 0:
      return try SecretInput.text(from: 0, atMost: 128 * 1_024, what: "standard input")
    case .otherPassphrase: if let known = otherPassphrase(prompt.names) { return known }
    case .passphrase, .newPassphrase: if let fromDescriptor = try passphraseFromDescriptor() { return fromDescriptor }
    case .mfaCode, .assertion, .reason: break
    }
    // What is mistyped is asked for again: whoever is sent back to the shell types the next attempt there, in the clear.
    for attempt in 1... {
      guard let typed = ask(question, echo: kind == .mfaCode || kind == .reason) else {
        throw Failure("cannot ask without a terminal: \(question)", hint: hint(kind, takesCode), exitStatus: .refused)
      }
      guard let fault = try fault(of: typed, prompt) else { return typed }
      // The agent and AWS have the last word on a code.
      if attempt == 3, kind == .mfaCode { return typed }
      if attempt == 3 { throw Failure(fault, hint: "run the command again", exitStatus: .badData) }
      Diagnostics.notice(fault)
    }
    preconditionFailure("the loop has no end of its own")
  }

  private static func ask(_ question: String, echo: Bool) -> WireBuffer? {
    Terminal.canAsk ? Terminal.ask(question, echo: echo) : Pinentry.ask(question)
  }

  /// Why an answer must be a typing error; nil if it may be right.
  private static func fault(of typed: WireBuffer, _ prompt: Prompt) throws(Failure) -> String? {
    switch prompt.kind {
    case .mfaCode: return isCode(typed) ? nil : "an MFA code has six digits"
    case .reason: return typed.withBytes { GuardReason.isValid(String(decoding: $0, as: UTF8.self)) } ? nil : "a reason is needed"
    case .newPassphrase:
      let characters = typed.withBytes { $0.count { $0 & 0xC0 != 0x80 } }
      if let minimum = prompt.minimum, characters < minimum {
        return "the passphrase has fewer than \(minimum) characters; choose another one"
      }
      guard let again = ask("Again:", echo: false) else { throw Failure("interrupted", exitStatus: .refused) }
      return again.equals(typed) ? nil : "the two passphrases differ"
    default: return nil
    }
  }

  private static func isCode(_ typed: WireBuffer) -> Bool {
    typed.withBytes { $0.count == 6 && $0.allSatisfy { (48...57).contains($0) } }
  }

  /// Asks whether an endpoint may be sent secrets. A yes is saved in the user's settings, where the agent reads it; the agent
  /// accepts it from nowhere else.
  private static func agreesToTrust(_ prompt: Prompt) throws -> Bool {
    guard let setting = OwnSetting.all.first(where: { $0.name == prompt.setting }), let value = prompt.value,
      setting.isValid(value), Terminal.canAsk, let answer = Terminal.ask(prompt.text, echo: true),
      let paths = VaultPaths(environment: { variable($0) })
    else { return false }
    guard ["y", "yes"].contains(answer.withBytes { String(decoding: $0, as: UTF8.self) }.lowercased()) else { return false }
    try ConfigCommand.add(setting, value, paths: paths)
    return true
  }

  private static func hint(_ kind: PromptKind, _ takesCode: Bool) -> String {
    switch kind {
    case .mfaCode where !takesCode:
      "run `vault exec PROFILE -- true` in a terminal (the session is shared), or install pinentry for a desktop prompt"
    case .mfaCode: "give the code with --mfa-code"
    case .reason: "give it with --reason"
    case .assertion: "give the assertion on standard input, or set saml_process"
    case .otherPassphrase: "run it in a terminal, or set the variable that the other program reads"
    default: "run it in a terminal, or set VAULT_PASSPHRASE_FILE or VAULT_PASSPHRASE_FD"
    }
  }

  /// The environment variables that the agent may request: those that give the SDKs an identity. Nothing else.
  private static let identityVariables: Set<String> = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_DISABLED", "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  ]

  /// The variables from which other programs read the passphrase of their own store. The agent may request no others.
  private static let otherPassphrases: Set<String> = [
    "AWS_VAULT_FILE_PASSPHRASE", "CF_KEYRING_FILE_PASSWORD", "AWS_SSO_FILE_PASSWORD",
  ]

  private static func otherPassphrase(_ names: [String]) -> WireBuffer? {
    guard let name = names.first, otherPassphrases.contains(name), let value = getenv(name), strlen(value) <= 4_096 else {
      return nil
    }
    let answer = WireBuffer()
    answer.append(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    return answer
  }

  /// `NAME=value` entries, separated by zeros.
  private static func variables(_ names: [String]) -> WireBuffer {
    let answer = WireBuffer(capacity: 4_096)
    for name in names where identityVariables.contains(name) {
      guard let value = getenv(name), strlen(value) <= 32 * 1_024 else { continue }
      if answer.count > 0 { answer.append(UInt8(0)) }
      answer.append(name + "=")
      answer.append(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }
    return answer
  }

  /// The environment, for a program that a profile names and the agent runs for this client: each entry is followed by a zero. The
  /// variables that give the SDKs an identity are left out, as is anything that would make the answer too long for a message.
  private static func environment() -> WireBuffer {
    let answer = WireBuffer(capacity: 16_384)
    var next = sys_environment()
    while let entry = next?.pointee {
      next = next?.successor()
      let length = strlen(entry) + 1
      let name = String(decoding: UnsafeRawBufferPointer(start: entry, count: strcspn(entry, "=")), as: UTF8.self)
      guard !identityVariables.contains(name), answer.count + length <= 128 * 1_024 else { continue }
      answer.append(UnsafeRawBufferPointer(start: entry, count: length))
    }
    return answer
  }

  /// The first line from the descriptor in `VAULT_PASSPHRASE_FD`; nil if the variable is not set.
  private static func passphraseFromDescriptor() throws -> WireBuffer? {
    guard let text = variable("VAULT_PASSPHRASE_FD"), !text.isEmpty else { return nil }
    guard let descriptor = PassphraseDescriptor.taken else {
      throw Failure("VAULT_PASSPHRASE_FD is \"\(text)\", not the number of an open descriptor", exitStatus: .usage)
    }
    return try SecretInput.line(from: descriptor, what: "VAULT_PASSPHRASE_FD")
  }
}

/// Secrets from a pipe or a file descriptor, never from the command line.
enum SecretInput {
  /// The whole input.
  static func text(from descriptor: Int32, atMost most: Int, what: String) throws(Failure) -> WireBuffer {
    let text = WireBuffer(capacity: most + 1)
    while text.count <= most {
      let got = text.fill(most + 1 - text.count) { read(descriptor, $0.baseAddress, $0.count) }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw Failure("cannot read \(what) (errno \(errno))", exitStatus: .noInput) }
      if got == 0 { return text }
    }
    throw Failure("\(what): more than \(most / 1_024) KiB", exitStatus: .badData)
  }

  /// The first line, without its line end, 4 KiB at most.
  static func line(from descriptor: Int32, what: String) throws(Failure) -> WireBuffer {
    let line = WireBuffer(capacity: 4_096)
    var byte: UInt8 = 0
    while true {
      let got = read(descriptor, &byte, 1)
      if got < 0 {
        if errno == EINTR { continue }
        throw Failure("cannot read \(what) (errno \(errno))", exitStatus: .noInput)
      }
      if got == 0 || byte == 10 { break }
      guard line.count < 4_096 else { throw Failure("\(what): a line longer than 4 KiB", exitStatus: .badData) }
      line.append(byte)
    }
    if line.count > 0, line[line.count - 1] == 13 { line.removeLast() }
    return line
  }
}
