import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultDatabase
@testable import VaultStore

/// The file from which completion takes the profiles' names.
struct NamesFileTests {
  private func names(_ opened: OpenedStore) throws -> String? {
    try NamesFile.read(beside: opened.path).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("the file has the names that the database has, after each change and whatever was there before")
  func follows() async throws {
    let opened = try await OpenedStore(profiles: ["app-prod", "app-dev"])
    #expect(try names(opened) == "app-dev\napp-prod\n")
    try await opened.store.removeProfile("app-prod", requester: OpenedStore.me)
    #expect(try names(opened) == "app-dev\n")
    try await opened.store.putProfiles(
      [("app-prod", [], ProfileSummary(name: "app-prod", kind: .assumeRole))], requester: OpenedStore.me)
    #expect(try names(opened) == "app-dev\napp-prod\n")
    var status = stat()
    #expect(stat(opened.path + ".names", &status) == 0 && status.st_mode & 0o777 == 0o600)
    // Another database in this one's place, or a file of an agent that was killed between the two.
    NamesFile.write(Array("other\n".utf8), beside: opened.path)
    let again = try await opened.reopened()
    #expect(try names(opened) == "app-dev\napp-prod\n")
    try await again.close()
  }

  @Test("a change that is not committed leaves the names as they were, and while it is under way the database is asked")
  func rolledBack() async throws {
    let opened = try await OpenedStore(profiles: ["app-dev"])
    #expect(try await opened.store.failToRemove("app-dev") == nil)
    #expect(try names(opened) == "app-dev\n")
  }

  @Test(
    "a file that others can write, that is cut off or is something else is not believed",
    arguments: [
      "chmod 644 $F", "truncate -s -1 $F", "truncate -s +1 $F", "printf 'more\\n' >> $F", ": > $F", "rm $F",
      "mv $F $G; ln -s $G $F",
      "ln $F $G",
      "rm $F; mkfifo $F", "printf 'vault-names-1 4\\n\\0\\0\\0\\n' > $F", "printf 'vault-names-1 1\\nx' > $F",
    ])
  func unsafe(_ script: String) async throws {
    let opened = try await OpenedStore()
    let file = opened.path + ".names"
    let shell = try await Subprocess.run(
      "/bin/bash", ["-c", script], environment: ["PATH": "/usr/bin:/bin", "F": file, "G": file + ".other"])
    #expect(shell.succeeded)
    #expect(try names(opened) == nil)
  }

  @Test("without the database there are no names, and a folder that others can enter is refused")
  func surroundings() async throws {
    let opened = try await OpenedStore()
    chmod(opened.folder.path, 0o755)
    #expect(throws: Failure.self) { try NamesFile.read(beside: opened.path) }
    chmod(opened.folder.path, 0o700)
    try await opened.store.close()
    unlink(opened.path)
    #expect(try names(opened) == nil)
  }
}

extension VaultStore {
  /// Removes a profile in a transaction that is not committed.
  ///
  /// - Returns: what the file said before its end.
  fileprivate func failToRemove(_ name: String) throws -> String? {
    var said: String?
    do {
      try change { store in
        try store.remove(name, trigger: .manual, OpenedStore.me)
        said = try NamesFile.read(beside: store.database.path).map { String(decoding: $0, as: UTF8.self) }
        throw CancellationError()
      }
    } catch is CancellationError {}
    return said
  }
}
