import Foundation
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct PKCETests {
  @Test("the challenge is RFC 7636's, appendix B")
  func vector() {
    let pkce = PKCE(verifier: SecretBytes("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
    #expect(pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
  }

  @Test("a verifier is new each time, of 64 unreserved characters")
  func verifier() {
    let verifiers = (0..<100).map { _ in PKCE().verifier.revealed }
    #expect(Set(verifiers).count == 100)
    let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    #expect(verifiers.allSatisfy { $0.count == 64 && $0.allSatisfy { allowed.contains($0) } })
    // Every one of the 64 letters comes up among 6,400.
    #expect(Set(verifiers.joined()).count == 64)
    let states = (0..<100).map { _ in PKCE.newState() }
    #expect(Set(states).count == 100 && states.allSatisfy { $0.count == 32 && $0.allSatisfy { allowed.contains($0) } })
  }

  @Test("the browser's way is what the AWS CLI makes it")
  func url() throws {
    let pkce = PKCE(verifier: SecretBytes("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
    let url = pkce.authorizeURL(
      clientId: "auth-client-id", redirectURI: "http://127.0.0.1:55555/oauth/callback", state: "state-1",
      scopes: ["sso:account:access", "codewhisperer:analysis"], at: try ScriptedService.endpoint(.oidc, "us-west-2"))
    #expect(
      url == "https://oidc.us-west-2.amazonaws.com/authorize?response_type=code&client_id=auth-client-id"
        + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A55555%2Foauth%2Fcallback&state=state-1&code_challenge_method=S256"
        + "&scopes=sso%3Aaccount%3Aaccess%20codewhisperer%3Aanalysis"
        + "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    #expect(!url.contains(pkce.verifier.revealed))
  }
}
