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
  /// A requester cannot ask for another process, unless it runs in that shell.
  case notInShell(pid: Int)
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
  case unprovenPeer(why: String)
  /// A process of an automation run has asked for what no such process gets.
  case closedToTree(name: String, run: String, what: String)
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
  case nothingToRevoke(what: String)

  public var message: String {
    switch self {
    case .system(let what, let code): "cannot \(what) (errno \(code))"
    case .foreignSocket(let path): "\(path) is not an agent socket"
    case .anotherAgent(let pid): "another agent is running (pid \(pid))"
    case .socketTaken(let path): "another vault's agent listens at \(path)"
    case .noLocks(let path, let code): "cannot lock \(path) (\(String(cString: strerror(code))))"
    case .insecure(let path, let why, _): "\(path) \(why)"
    case .otherVault(let asked, let own):
      "the agent at this socket serves the vault in \(safeText(own)), not the one in \(safeText(asked))"
    case .outOfReach(let why): "the program is \(why)"
    case .notInShell(let pid): "this command does not run in process \(pid), in the same session and as the same user"
    case .noHome: "neither VAULT_HOME nor HOME is an absolute path"
    case .unknownProfile(let name, _, _): "no profile \"\(name.count > 80 ? String(name.prefix(80)) + "…" : name)\""
    case .noKeyForProfile(let profile, let key):
      "profile \"\(profile)\" needs the access key \"\(key)\", which is not in the vault"
    case .locked: "the vault is locked"
    case .screenLocked: "the vault stays locked while the screen is locked"
    case .nobodyToAsk(let question): "cannot ask without a terminal: \(question)"
    case .unanswered(let question): "no answer to: \(question)"
    case .badMFACode: "an MFA code has six digits"
    case .badRequest(let what): what
    case .unknownRequest: "the agent does not know this request"
    case .otherVersion(let client, let agent):
      client > agent
        ? "this vault is newer than the running agent (protocol \(client) and \(agent))"
        : "this vault is older than the running agent (protocol \(client) and \(agent))"
    case .unprovenPeer(let why): "refused: \(why)"
    case .closedToTree(let name, let run, let what): "a process of automation run \(name) (\(run)) cannot \(what)"
    case .unknownSession(let profile): "profile \"\(profile)\" has no session"
    case .tooLong(let profile): "a session of \"\(profile)\" lasts at most 12 hours"
    case .otherPartition(let profile, let partition):
      "\"\(profile)\" is in the partition \(partition.rawValue), but the requested region is not"
    case .circle(let profiles): "\"\(profiles[0])\" depends on itself: \(profiles.joined(separator: " → "))"
    case .profileExists(let name): "profile \"\(name)\" already exists"
    case .notOurs(let profile, let file): "profile \"\(profile)\" comes from \(file)"
    case .keyExists(let name): "access key \"\(name)\" already exists"
    case .unknownKey(let name, _): "no access key \"\(name)\""
    case .unknownSignIn(let name, _): "no sso-session or profile \"\(name)\""
    case .whichSignIn(let names):
      names.isEmpty ? "no profile uses IAM Identity Center" : "more than one sso-session to choose from"
    case .nothingToRevoke(let what): "nothing to revoke: the vault serves and keeps nothing of \(what)"
    }
  }

  public var hint: String? {
    switch self {
    case .insecure(_, _, let remedy): remedy
    case .foreignSocket: "move it away"
    case .anotherAgent: "stop it with `vault agent stop`"
    case .socketTaken: "give one of the vaults its own folder with VAULT_HOME"
    case .noLocks: "its file system (NFS?) does not support locks: use a local disk with VAULT_HOME"
    case .otherVault:
      "HOME or XDG_DATA_HOME differs here: restore it to use the agent's vault, or give this vault its own folder with VAULT_HOME"
    case .outOfReach:
      "start vault outside and pass the credentials in (see docs/containers.md), or omit --server and --token-file"
    case .notInShell: "give the process ID of the shell that runs it: `--for-pid $$`"
    case .noHome: "set HOME, or VAULT_HOME to a folder of your own"
    case .unknownProfile(_, let suggestion?, let count): "did you mean \(suggestion)?  `vault list` shows all \(count)"
    case .unknownProfile(_, nil, 0): "`vault import` imports the profiles of ~/.aws/config"
    case .unknownProfile(_, nil, let count): "`vault list` shows all \(count)"
    case .noKeyForProfile(_, let key): "`vault access-key add \(ShellText.word(key))`"
    case .locked: "`vault unlock`"
    case .screenLocked: "unlock the screen; `vault config lock_on` shows what locks the vault"
    case .nobodyToAsk: "run it in a terminal"
    case .unanswered: "run it again, and answer within ten minutes"
    case .circle:
      "a program that a profile names (credential_process, mfa_process, …) must not request a profile that depends on it"
    case .profileExists(let name): "use `vault edit \(ShellText.word(name))` to change it"
    case .notOurs: "change it there; the vault watches the file"
    case .otherPartition(_, let partition): "set a region of \(partition.rawValue), such as \(partition.globalRegion)"
    case .tooLong: "only sessions of access keys may last up to 36 hours"
    case .keyExists: "use --replace to overwrite it"
    case .unknownSignIn(_, let suggestion):
      suggestion.map { "did you mean \($0)?" } ?? "`vault list` shows the profiles"
    case .whichSignIn(let names):
      names.isEmpty
        ? "`vault login https://NAME.awsapps.com/start` makes a sign-in; `vault import` imports those of ~/.aws/config"
        : "choose one of " + names.prefix(20).joined(separator: ", ")
    case .unknownKey(_, let suggestion): suggestion.map { "did you mean \($0)?" } ?? "`vault access-key list` shows them"
    case .otherVersion(let client, let agent):
      client > agent
        ? "run `vault agent stop`, then try again: the newer agent starts automatically"
        : "use the vault that is installed beside the agent"
    case .closedToTree: "do it in a terminal outside of the run"
    case .unprovenPeer: "the process that needs the answer must open the connection itself"
    case .nothingToRevoke: "`vault holders` shows which programs hold which keys"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .system, .noLocks: .inputOutput
    case .foreignSocket, .insecure, .locked, .screenLocked, .nobodyToAsk, .unanswered, .unprovenPeer, .notInShell, .closedToTree:
      .refused
    case .anotherAgent, .socketTaken: .temporary
    case .noHome, .noKeyForProfile, .otherVersion, .otherVault, .otherPartition, .outOfReach, .circle: .configuration
    case .profileExists, .keyExists: .cannotCreate
    case .notOurs: .configuration
    case .unknownProfile, .unknownSession, .unknownKey, .unknownSignIn, .nothingToRevoke: .noInput
    case .whichSignIn(let names): names.isEmpty ? .configuration : .usage
    case .badMFACode, .badRequest: .badData
    case .tooLong: .usage
    case .unknownRequest: .software
    }
  }
}
