import Foundation
import TestSupport
import Testing
import VaultModel

/// What the pages have to say of everything that a person can meet.
@Suite struct PageTests {
  private static let pages: String = {
    let folder = Repository.root.appending(path: "docs")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".md") }.compactMap {
      try? String(contentsOf: folder.appending(path: $0), encoding: .utf8)
    }
    .joined(separator: "\n")
  }()

  @Test(
    "every action of the audit log and every state of a session stands on a page",
    arguments:
      AuditAction.allCases.map(\.rawValue) + SessionState.allCases.map(\.rawValue))
  func words(name: String) {
    #expect(Self.pages.contains("`\(name)`"))
  }

  @Test("every setting stands on a page, with the values that it takes", arguments: OwnSetting.all.map(\.name))
  func settings(name: String) {
    #expect(Self.pages.contains("    \(name) = "))
  }
}
