import VaultBytes
import VaultModel

/// The jobs whose tokens a role trusts: the token's issuer, audience and subject.
public struct OIDCSubject: Sendable, Hashable {
  /// The provider's host, as in its ARN and its condition keys.
  public let host: String
  public let audience: String
  /// The `sub` claim; with a `*` it is a pattern.
  public let subject: String

  public var isPattern: Bool { subject.contains("*") }

  /// Reads `github:ORG/REPO…` or `gitlab:GROUP/PROJECT…`.
  ///
  /// The subjects are those of "OpenID Connect reference" (GitHub docs) and "OpenID Connect authentication using ID tokens" (GitLab
  /// docs). A repository of GitHub's with immutable subjects is written with its ids: `ORG@ID/REPO@ID`.
  ///
  /// - Returns: nil for another kind of principal.
  /// - Throws: usage, if what follows is no repository, branch, tag or environment.
  init?(_ text: String, audience: String?) throws(Failure) {
    let isGitHub = text.hasPrefix("github:")
    guard isGitHub || text.hasPrefix("gitlab:") else { return nil }
    let rest = text.dropFirst("github:".count)
    let colon = rest.firstIndex(of: ":") ?? rest.endIndex
    let repository = rest[..<colon]
    var limit = colon == rest.endIndex ? nil : String(rest[rest.index(after: colon)...])
    let parts = repository.split(separator: "/", omittingEmptySubsequences: false)
    guard isGitHub ? parts.count == 2 : parts.count >= 2, parts.allSatisfy({ Self.isName($0) }) else {
      throw Failure(
        "--principal: \"\(repository)\" is not \(isGitHub ? "ORG/REPO" : "GROUP/PROJECT")",
        hint: isGitHub ? "github:octo-org/octo-repo:ref:refs/heads/main" : "gitlab:group/project:ref_type:branch:ref:main",
        exitStatus: .usage)
    }
    let prefixes =
      isGitHub ? ["ref:refs/heads/", "ref:refs/tags/", "environment:"] : ["ref_type:branch:ref:", "ref_type:tag:ref:"]
    if let given = limit {
      let value = prefixes.first { given.hasPrefix($0) }.map { given.dropFirst($0.count) }
      guard let value, Self.isReference(value) else {
        throw Failure(
          "--principal: \"\(given)\" is neither a branch, nor a tag\(isGitHub ? ", nor an environment" : "")",
          hint: prefixes.map { $0 + "NAME" }.joined(separator: ", "), exitStatus: .usage)
      }
      // "Any : within the metadata values will be replaced with %3A" (GitHub docs, "OpenID Connect reference").
      limit = given.dropLast(value.count) + value.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3A")
    }
    if let audience {
      guard (1...256).contains(audience.utf8.count),
        audience.utf8.allSatisfy({ (33...126).contains($0) && !"*?$".utf8.contains($0) })
      else { throw Failure("--audience: \"\(audience.prefix(128))\" is not an audience", exitStatus: .usage) }
    }
    host = isGitHub ? "token.actions.githubusercontent.com" : "gitlab.com"
    self.audience = audience ?? (isGitHub ? "sts.amazonaws.com" : "https://gitlab.com")
    subject = (isGitHub ? "repo:" : "project_path:") + repository + ":" + (limit ?? "*")
  }

  /// A user, a group or a repository: letters, digits and `_ . -`, and at GitHub `@ID`.
  private static func isName(_ text: Substring) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 0x20) || "_.-@".utf8.contains($0) }
  }

  /// A branch, a tag or an environment, in which `*` stands for anything. `?` and policy variables are refused.
  private static func isReference(_ text: Substring) -> Bool {
    (1...512).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { !$0.isUnsafeToShow && !"?$\\".unicodeScalars.contains($0) }
  }
}
