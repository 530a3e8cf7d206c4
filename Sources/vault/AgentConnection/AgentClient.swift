import CSystem
import Glibc
import VaultModel
import VaultWire

/// A conversation with the agent: one question, and what it takes to get the answer.
struct AgentClient {
  let paths: VaultPaths
  /// Whether a page to sign in at may be opened in the person's browser.
  var opensBrowser = true
  /// Whether somebody types the command; a program that an SDK runs has the same words each time, and so never a code.
  var isTyped = true
  /// Is given each entry of a long result.
  var onEntry: (Message) -> Void = { _ in }

  init(paths: VaultPaths, opensBrowser: Bool = true) {
    self.paths = paths
    self.opensBrowser = opensBrowser
  }

  /// Sends a request and returns what the agent answers, starting an agent where none runs.
  ///
  /// Notices are shown as they come; prompts are put to the person.
  /// - Throws: the agent's own failure, or why it cannot be reached.
  func ask(_ request: consuming MessageWriter) throws -> Message {
    AskerFields.add(to: request, paths)
    let frame = try request.frame()
    for _ in 1..<Self.tries {
      do {
        return try converse(try connect(), frame)
      } catch WireError.closed {
        // The agent was stopping as we came, or was killed. Its socket may take connections for a moment longer than it answers.
        usleep(20_000)
      }
    }
    return try converse(try connect(), frame)
  }

  /// How often an agent that ends under the question is tried again, a new one from the second time on.
  private static let tries = 10

  /// Asks an agent that runs; nil where none does.
  func askRunning(_ request: consuming MessageWriter) throws -> Message? {
    AskerFields.add(to: request, paths)
    let frame = try request.frame()
    guard let channel = try running() else { return nil }
    return try converse(channel, frame)
  }

  private func connect() throws -> Channel { try running() ?? AgentStarter(paths: paths).start() }

  /// The agent that listens; nil where none does.
  private func running() throws(Failure) -> Channel? {
    if let channel = Channel.connect(to: paths.socket) { return channel }
    if errno == ENAMETOOLONG {
      throw Failure(
        "the path of the agent's socket is too long: \(paths.socket)",
        hint: "it has 107 bytes at most; choose a shorter \(Self.placeVariable)",
        exitStatus: .configuration)
    }
    // What we send may be a secret, and what comes back would be believed.
    if errno == EPERM {
      throw Failure(
        "another user listens at \(paths.socket)", hint: "nothing was sent; choose a folder of your own with VAULT_HOME",
        exitStatus: .refused)
    }
    if errno == EAGAIN { throw AgentSilence(pid: AgentSilence.pid(inLock: paths.agentLock), seconds: Channel.timeouts).failure }
    guard errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED else {
      throw Failure(
        "cannot reach the agent at \(paths.socket) (errno \(errno))", hint: errno == EACCES ? "the socket must be yours" : nil,
        exitStatus: errno == EACCES ? .refused : .inputOutput)
    }
    return try LostSocket.find(paths)
  }

  /// Which variable says where the socket is.
  private static var placeVariable: String {
    let named = ["VAULT_HOME", "XDG_RUNTIME_DIR"].first { variable($0)?.isEmpty == false }
    return named ?? "HOME"
  }

  /// Seconds without a word after which the agent is given up: it says one every five to ten, however long something takes.
  private static let timeouts: Int32 = 30
  /// Seconds after which one that was stopped is given up.
  private static let hope: Int32 = 5

  private func converse(_ channel: Channel, _ frame: WireBuffer) throws -> Message {
    try channel.send(frame)
    var waitingFor: String?
    var shown: String?
    var silent: Int32 = 0
    while true {
      // Looked at every second: one that was stopped itself, with the agent or without, is not to think that it has waited meanwhile.
      guard let message = try channel.receive(within: 1_000) else {
        silent += 1
        if silent >= Self.timeouts { throw AgentSilence(pid: channel.peer, seconds: silent).failure }
        if silent >= Self.hope {
          let silence = AgentSilence(pid: channel.peer, seconds: silent)
          if silence.isStopped { throw silence.failure }
        }
        // Only a wait of over a second is worth a word.
        if shown == nil {
          if isatty(2) == 1 { Diagnostics.notice(waitingFor ?? "waiting for the agent …") }
          shown = waitingFor ?? ""
        }
        continue
      }
      silent = 0
      switch message.kind {
      case .failure: throw Failure(message)
      case .notice: Diagnostics.notice(message.text(.text) ?? "")
      case .progress:
        // One without a text only says that the agent lives.
        guard let text = message.text(.text) else { continue }
        waitingFor = text
        if shown != nil, shown != waitingFor, isatty(2) == 1 {
          Diagnostics.notice(text)
          shown = text
        }
      case .page: SignInPrompt.show(message, opensBrowser: opensBrowser)
      case .entry: onEntry(message)
      case .prompt: try channel.send(try Prompting.answer(message, takesCode: isTyped))
      default:
        guard message.version == protocolVersion else { throw Self.otherVersion(message.version) }
        return message
      }
    }
  }

  private static func otherVersion(_ version: UInt16) -> Failure {
    Failure(
      "the agent that runs speaks version \(version) of the protocol, this vault \(protocolVersion)",
      hint: "`vault agent stop`, then try again: the agent beside this vault starts by itself", exitStatus: .configuration)
  }
}
