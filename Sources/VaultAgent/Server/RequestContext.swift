import Synchronization
import VaultModel
import VaultSecrets
import VaultWire

/// The sender of a request, its surroundings, and the way to ask back.
struct RequestContext: Sendable {
  let client: ClientContext
  /// The AWS variables of the client's environment.
  let environment: [String: String]
  private(set) var requester: Requester
  let connection: ClientConnection
  let prompter: any Prompter
  /// The tree of processes that act by themselves to which the requester belongs.
  private(set) var tree: AutomationTree?

  /// The same request, by the root of a tree.
  func within(_ tree: AutomationTree) -> RequestContext {
    var context = self
    context.tree = tree
    context.requester.automation = tree.run
    return context
  }

  init(_ client: ClientContext, requester: Requester, tree: AutomationTree? = nil, connection: ClientConnection) {
    self.client = client
    environment = Self.environment(client.environment)
    self.requester = requester
    self.connection = connection
    self.tree = tree
    let person = ConnectionPrompter(connection: connection)
    prompter = tree.map { $0.isHint } ?? true ? person : TreePrompter(client: person)
  }

  /// The last environment, and the block from which it was read: successive requests mostly have the same.
  private static let last = Mutex<(block: EnvironmentBlock, environment: [String: String])>((EnvironmentBlock(), [:]))

  private static func environment(_ block: EnvironmentBlock) -> [String: String] {
    if let known = last.withLock({ $0.block == block ? $0.environment : nil }) { return known }
    var environment: [String: String] = [:]
    for entry in block.entries {
      guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex else { continue }
      environment[String(entry[..<equals])] = String(entry[entry.utf8.index(after: equals)...])
    }
    last.withLock { [environment] in $0 = (block, environment) }
    return environment
  }
}

extension WireBytes {
  /// A copy in a buffer that is wiped.
  init(_ secret: SecretBytes) { self = secret.withBytes { WireBytes(copying: $0) } }
}

extension SecretBytes {
  /// A copy in guarded memory.
  convenience init(_ bytes: WireBytes) {
    self.init(count: bytes.count) { copy in bytes.withBytes { copy.copyMemory(from: $0) } }
  }
}
