import AWSClient
import VaultModel

/// The vault's AWS clients, which share connections.
struct Clients: Sendable {
  let sts: STSClient
  let oidc: SSOOIDCClient
  let portal: SSOPortalClient
  let startURLs: StartURLResolver
  let iam: IAMClient
  let iamToolbox: IAMToolboxClient
  let ssoAdmin: SSOAdminClient
  let container: ContainerCredentialsClient
  let instance: InstanceMetadataClient
  let gitHub: GitHubTokenClient
  let signIn: SignInClient
  /// Decides the route of every call.
  let trust: NetworkTrust

  init(transport: any HTTPTransport, clock: any WallClock, trust: NetworkTrust = .default) {
    self.trust = trust
    sts = STSClient(transport: transport, clock: clock)
    oidc = SSOOIDCClient(transport: transport, clock: clock)
    portal = SSOPortalClient(transport: transport, clock: clock)
    startURLs = StartURLResolver(transport: transport)
    signIn = SignInClient(transport: transport, clock: clock)
    iam = IAMClient(transport: transport, clock: clock)
    iamToolbox = IAMToolboxClient(transport: transport, clock: clock)
    ssoAdmin = SSOAdminClient(transport: transport, clock: clock)
    container = ContainerCredentialsClient(transport: transport, clock: clock)
    instance = InstanceMetadataClient(transport: transport, clock: clock)
    gitHub = GitHubTokenClient(transport: transport, clock: clock)
  }

  /// Uses libcurl.
  init(clock: any WallClock, trust: NetworkTrust) { self.init(transport: CurlTransport(), clock: clock, trust: trust) }
}
