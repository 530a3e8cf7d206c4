import TestSupport
import Testing
import VaultModel

@testable import VaultDatabase
@testable import VaultStore

/// What `vault iam check` found last.
struct IAMCheckTests {
  @Test("the last findings of a profile are kept, and go with the profile")
  func kept() async throws {
    let opened = try await OpenedStore(profiles: ["app-dev", "app-prod"])
    let store = opened.store
    #expect(try opened.reader().iamCheck(of: "app-dev") == nil)
    try await store.keepIAMCheck(of: "app-dev", findings: "[1]")
    opened.clock.advance(seconds: 60)
    try await store.keepIAMCheck(of: "app-dev", findings: "[2]")
    try await store.keepIAMCheck(of: "app-prod", findings: "[3]")
    try await store.keepIAMCheck(of: "nobody", findings: "[4]")
    let record = try #require(try opened.reader().iamCheck(of: "app-dev"))
    #expect(record.findings == "[2]" && record.checkedAt == opened.clock.now())
    try await store.removeProfile("app-dev", requester: OpenedStore.me)
    #expect(try opened.reader().iamCheck(of: "app-dev") == nil)
    // A profile of the same name is another one.
    try await store.putProfiles(
      [("app-dev", [], ProfileSummary(name: "app-dev", kind: .assumeRole))], requester: OpenedStore.me)
    #expect(try opened.reader().iamCheck(of: "app-dev") == nil)
    #expect(try opened.reader().iamCheck(of: "app-prod")?.findings == "[3]")
  }

  @Test("a vault that was not brought up to date yet has no findings")
  func earlier() throws {
    let folder = TemporaryDirectory()
    let path = folder.write("", to: "vault.db")
    let old = try Database(path: path, access: .readWrite)
    for number in 1..<Int(Schema.iamChecks) { try Schema.migrate(old, to: number) }
    #expect(try VaultReader(over: old).iamCheck(of: "app-dev") == nil)
  }
}
