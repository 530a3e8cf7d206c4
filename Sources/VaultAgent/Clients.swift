import AWSClient
import VaultModel

/// The vault's clients of AWS, over the same connections.
struct Clients: Sendable {
  let sts: STSClient
  let oidc: SSOOIDCClient
  let portal: SSOPortalClient
  let iam: IAMClient
  let machine: MachineCredentialsClient
  let signIn: SignInClient

  init(transport: any HTTPTransport, nearby: any HTTPTransport, clock: any WallClock) {
    sts = STSClient(transport: transport, clock: clock)
    oidc = SSOOIDCClient(transport: transport, clock: clock)
    portal = SSOPortalClient(transport: transport, clock: clock)
    signIn = SignInClient(transport: transport, clock: clock)
    iam = IAMClient(transport: transport, clock: clock)
    machine = MachineCredentialsClient(transport: nearby, clock: clock)
  }

  /// By libcurl. What is on this machine or beside it answers within two seconds or not at all.
  init(clock: any WallClock) {
    self.init(
      transport: CurlTransport(), nearby: CurlTransport(limits: CurlTransport.Limits(connect: 1_000, total: 2_000)), clock: clock)
  }
}
