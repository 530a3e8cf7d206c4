import VaultModel
import VaultWire

// Requests about the master key.
extension RequestHandler {
  func rotateKey(_ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let (id, rows) = try await masterKeys.rotate(for: prompter, requester: requester)
    let reply = ReplyBuilder(.done, count: rows)
    reply.add(.name, id.description)
    return reply
  }

  func backUpKey(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let id = try await CurrentPrompter.$value.withValue(prompter) {
      try await masterKeys.backUp(to: try Self.file(message), Self.passphrase(message, prompter), requester: requester)
    }
    let reply = ReplyBuilder(.done)
    reply.add(.name, id.description)
    return reply
  }

  func restoreKey(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let restored = try await CurrentPrompter.$value.withValue(prompter) {
      try await masterKeys.restore(from: try Self.file(message), Self.passphrase(message, prompter), requester: requester)
    }
    let reply = ReplyBuilder(.done)
    reply.add(.name, restored.id.description)
    if restored.lostCheckpoint {
      reply.add(
        .text, "the key store had lost the head of the audit log with the key; the log goes on from its newest row, and says so")
    }
    return reply
  }

  private static func file(_ message: Message) throws -> String {
    guard let path = message.text(.name), path.hasPrefix("/"), !path.hasSuffix("/") else {
      throw AgentError.badRequest("no file")
    }
    return path
  }

  private static func passphrase(_ message: Message, _ prompter: any Prompter) -> MasterKeyService.BackupPassphrase {
    MasterKeyService.BackupPassphrase(file: message.text(.text), prompter: prompter)
  }
}
