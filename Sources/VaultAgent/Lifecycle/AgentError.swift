import Glibc
import VaultBytes
import VaultModel

/// Errors of the agent itself.
public enum AgentError: ReportableError {
  case system(what: String, code: Int32)
  case foreignSocket(path: String)
  case anotherAgent(pid: String)
  /// An agent of another vault that has the same runtime folder.
  case socketTaken(path: String)
  case noLocks(path: String, code: Int32)
  case insecure(path: String, why: String, remedy: String)
  /// The requester cannot reach what would be served.
  case outOfReach(why: String)
  case noHome
  /// A client of another vault has connected to this agent's socket.
  case otherVault(asked: String, own: String)
  case unknownProfile(name: String, suggestion: String?, count: Int)
  case noKeyForProfile(profile: String, key: String)
  case locked
  case screenLocked
  case nobodyToAsk(question: String)
  /// A person is there, but does not answer.
  case unanswered(question: String)
  case badMFACode
  case badRequest(String)
  case unknownRequest
  case otherVersion(client: UInt16, agent: UInt16)
  /// The requester is not the process that connected, or no longer the same.
  case unprovenAsker(why: String)
  case unknownSession(profile: String)
  case tooLong(profile: String)
  case otherPartition(profile: String, partition: Partition)
  /// A program that a profile names waits for that profile.
  case circle(profiles: [String])
  case profileExists(name: String)
  case notOurs(profile: String, file: String)
  case keyExists(name: String)
  case unknownKey(name: String, suggestion: String?)
  case unknownSignIn(name: String, suggestion: String?)
  case whichSignIn(names: [String])

  public var message: String {
    switch self {
    case .system(let what, let code): "cannot \(what) (errno \(code))"
    case .foreignSocket(let path): "what is at \(path) is not a socket of ours"
    case .anotherAgent(let pid): "another agent runs (pid \(pid))"
    case .socketTaken(let path): "another vault's agent listens at \(path)"
    case .noLocks(let path, let code): "cannot lock \(path) (\(String(cString: strerror(code))))"
    case .insecure(let path, let why, _): "\(path) \(why)"
    case .otherVault(let asked, let own):
      "the agent at this socket keeps the vault in \(safeText(own)), and not the one in \(safeText(asked))"
    case .outOfReach(let why): "the program is \(why)"
    case .noHome: "neither VAULT_HOME nor HOME is an absolute path"
    case .unknownProfile(let name, _, _): "no profile \"\(name.count > 80 ? String(name.prefix(80)) + "…" : name)\""
    case .noKeyForProfile(let profile, let key):
      "profile \"\(profile)\" needs the access key \"\(key)\", which the vault does not hold"
    case .locked: "the vault is locked"
    case .screenLocked: "the vault is locked while the screen is"
    case .nobodyToAsk(let question): "cannot ask, there is no terminal: \(question)"
    case .unanswered(let question): "nobody has answered: \(question)"
    case .badMFACode: "an MFA code has six digits"
    case .badRequest(let what): "invalid request: \(what)"
    case .unknownRequest: "the agent does not know this request"
    case .otherVersion(let client, let agent):
      client > agent
        ? "this vault is newer than the agent that runs (protocol \(client) and \(agent))"
        : "this vault is older than the agent that runs (protocol \(client) and \(agent))"
    case .unprovenAsker(let why): "refused: \(why)"
    case .unknownSession(let profile): "profile \"\(profile)\" has no session"
    case .tooLong(let profile): "a session of \"\(profile)\" lives 12 hours at most"
    case .otherPartition(let profile, let partition):
      "\"\(profile)\" is of the partition \(partition.rawValue), and the region that was asked for is not"
    case .circle(let profiles): "\"\(profiles[0])\" needs itself: \(profiles.joined(separator: " → "))"
    case .profileExists(let name): "there is a profile \"\(name)\" already"
    case .notOurs(let profile, let file): "profile \"\(profile)\" is written in \(file)"
    case .keyExists(let name): "the vault holds an access key \"\(name)\" already"
    case .unknownKey(let name, _): "no access key \"\(name)\""
    case .unknownSignIn(let name, _): "neither an sso-session nor a profile has the name \"\(name)\""
    case .whichSignIn(let names):
      names.isEmpty ? "no profile comes from IAM Identity Center" : "there are several places to sign in"
    }
  }

  public var hint: String? {
    switch self {
    case .insecure(_, _, let remedy): remedy
    case .foreignSocket: "move it away"
    case .anotherAgent: "`vault agent stop` ends it"
    case .socketTaken: "give one of the two vaults a folder of its own with VAULT_HOME"
    case .noLocks: "its file system (NFS?) has no locks: put the vault on a disk of this machine with VAULT_HOME"
    case .otherVault:
      "HOME or XDG_DATA_HOME is another one here: take it back for the agent's vault, or give the other one a folder of its own with VAULT_HOME"
    case .outOfReach: "start vault outside, and take what is served inside (containers); or do without --server and --token-file"
    case .noHome: "set HOME, or VAULT_HOME to a folder of your own"
    case .unknownProfile(_, let suggestion?, let count): "did you mean \(suggestion)?  `vault list` shows all \(count)"
    case .unknownProfile(_, nil, 0): "`vault import` takes the profiles of ~/.aws/config"
    case .unknownProfile(_, nil, let count): "`vault list` shows all \(count)"
    case .noKeyForProfile(_, let key): "`vault access-key add \(key)`"
    case .locked: "`vault unlock`"
    case .screenLocked: "unlock the screen; `vault config lock_on` shows what locks the vault"
    case .nobodyToAsk: "run it at a terminal"
    case .unanswered: "run it again, and answer within ten minutes"
    case .circle:
      "the program that a profile names (credential_process, mfa_process, …) must not ask for a profile that waits for it"
    case .profileExists(let name): "`vault edit \(name)` changes it"
    case .notOurs: "change it there; the vault follows the file"
    case .otherPartition(_, let partition): "name a region of \(partition.rawValue), such as \(partition.globalRegion)"
    case .tooLong: "only a session of access keys themselves may live up to 36 hours"
    case .keyExists: "--replace puts the new one in its place"
    case .unknownSignIn(_, let suggestion):
      suggestion.map { "did you mean \($0)?" } ?? "`vault list` shows the profiles"
    case .whichSignIn(let names):
      names.isEmpty
        ? "`vault import` takes the sso-session sections of ~/.aws/config"
        : "name one of " + names.prefix(20).joined(separator: ", ")
    case .unknownKey(_, let suggestion): suggestion.map { "did you mean \($0)?" } ?? "`vault access-key list` shows them"
    case .otherVersion(let client, let agent):
      client > agent
        ? "`vault agent stop`, then try again: the newer one starts by itself"
        : "use the vault that is installed beside the agent"
    case .unprovenAsker: "a program asks over a connection of its own, and waits for the answer itself"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .system, .noLocks: .inputOutput
    case .foreignSocket, .insecure, .locked, .screenLocked, .nobodyToAsk, .unanswered, .unprovenAsker: .refused
    case .anotherAgent, .socketTaken: .temporary
    case .noHome, .noKeyForProfile, .otherVersion, .otherVault, .otherPartition, .outOfReach, .circle: .configuration
    case .profileExists, .keyExists: .cannotCreate
    case .notOurs: .configuration
    case .unknownProfile, .unknownSession, .unknownKey, .unknownSignIn: .noInput
    case .whichSignIn(let names): names.isEmpty ? .configuration : .usage
    case .badMFACode, .badRequest: .badData
    case .tooLong: .usage
    case .unknownRequest: .software
    }
  }
}
