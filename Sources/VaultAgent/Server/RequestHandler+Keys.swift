import VaultModel
import VaultWire

// Requests about the master key.
extension RequestHandler {
  func rotateKey(_ context: RequestContext) async throws -> RotatedKey {
    let (id, rows) = try await masterKeys.rotate(for: context.prompter, requester: context.requester)
    return RotatedKey { ($0.keyId, $0.count) = (id.description, rows) }
  }

  /// Backs the key up, or restores it.
  func copyKey(_ request: KeyCopyRequest, _ context: RequestContext) async throws -> KeyCopy {
    guard request.file.hasPrefix("/"), !request.file.hasSuffix("/") else {
      throw AgentError.badRequest("missing file of the backup")
    }
    let passphrase = MasterKeyService.BackupPassphrase(file: request.passphraseFile, prompter: context.prompter)
    return try await CurrentPrompter.$value.withValue(context.prompter) {
      guard request.restore else {
        let id = try await masterKeys.backUp(to: request.file, passphrase, requester: context.requester)
        return KeyCopy { $0.keyId = id.description }
      }
      let restored = try await masterKeys.restore(from: request.file, passphrase, requester: context.requester)
      return KeyCopy { reply in
        reply.keyId = restored.id.description
        guard restored.lostCheckpoint else { return }
        reply.notice =
          "the key store had lost the head of the audit log with the key; the log goes on from its newest row, and says so"
      }
    }
  }
}
