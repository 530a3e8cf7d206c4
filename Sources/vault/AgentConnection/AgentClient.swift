import CSystem
import Glibc
import VaultModel
import VaultWire

/// A conversation with the agent: one request, and the prompts and notices that precede its answer.
struct AgentClient {
  let paths: VaultPaths
  /// Whether a sign-in page may be opened in the user's browser.
  var opensBrowser = true
  /// Whether a user types the command. An SDK runs a program with the same words each time, so it can never pass an MFA code.
  var isTyped = true
  /// The index of the word in this command line where the command to run begins.
  var commandIndex: Int?
  /// Called with each entry of a long result.
  var onEntry: (Message) throws -> Void = { _ in }

  init(paths: VaultPaths, opensBrowser: Bool = true) {
    self.paths = paths
    self.opensBrowser = opensBrowser
  }

  /// Sends a request and returns the agent's answer; starts an agent if none is running.
  ///
  /// Notices are shown as they arrive; prompts are shown to the user.
  ///
  /// - Throws: the agent's own failure, or why it cannot be reached.
  func ask<Asked: Request>(_ request: Asked) throws -> Asked.Reply { try insist(try frame(request)).value() }

  /// Asks a running agent; returns nil if there is none.
  func askRunning<Asked: Request>(_ request: Asked) throws -> Asked.Reply? {
    let frame = try frame(request)
    return try running().map { try converse($0, frame).value() }
  }

  /// Stops a running agent, of whatever version; returns false if there is none.
  func stop() throws -> Bool {
    let frame = try frame(.stop)
    return try running().map { try converse($0, frame, anyVersion: true) } != nil
  }

  private func frame(_ request: some Request) throws(WireError) -> WireBuffer {
    try request.frame(from: ClientContext(paths, commandIndex: commandIndex))
  }

  private func insist(_ frame: WireBuffer) throws -> Message {
    for _ in 1..<Self.tries {
      do {
        return try converse(try connect(), frame)
      } catch WireError.closed {
        // The agent was stopping or was killed. Its socket may accept connections for a moment longer than it answers.
        usleep(20_000)
      }
    }
    return try converse(try connect(), frame)
  }

  /// How often to retry if the agent ends during the request; from the second attempt on, with a new agent.
  private static let tries = 10

  private func connect() throws -> Channel { try running() ?? AgentStarter(paths: paths).start() }

  /// Connects to the running agent; nil if there is none.
  private func running() throws(Failure) -> Channel? {
    if let channel = Channel.connect(to: paths.socket) { return channel }
    if errno == ENAMETOOLONG {
      throw Failure(
        "the agent's socket path is too long: \(paths.socket)",
        hint: "the limit is 107 bytes; choose a shorter \(Self.placeVariable)",
        exitStatus: .configuration)
    }
    // The request may be secret, and the answer would be trusted.
    if errno == EPERM {
      throw Failure(
        "another user listens at \(paths.socket)", hint: "nothing was sent; use a folder of your own with VAULT_HOME",
        exitStatus: .refused)
    }
    if errno == EAGAIN { throw AgentSilence(pid: AgentSilence.pid(inLock: paths.agentLock), seconds: Channel.timeouts).failure }
    guard errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED else {
      throw Failure(
        "cannot reach the agent at \(paths.socket) (errno \(errno))",
        hint: errno == EACCES ? "the socket must belong to you" : nil,
        exitStatus: errno == EACCES ? .refused : .inputOutput)
    }
    return try LostSocket.find(paths)
  }

  /// The variable that determines where the socket is.
  private static var placeVariable: String {
    let named = ["VAULT_HOME", "XDG_RUNTIME_DIR"].first { variable($0)?.isEmpty == false }
    return named ?? "HOME"
  }

  /// Timeout in seconds without a message: the agent sends one every five to ten, however long an operation takes.
  private static let timeouts: Int32 = 30
  /// Timeout in seconds if the agent's process was stopped.
  private static let hope: Int32 = 5

  /// - Parameter anyVersion: whether the reply of an agent of another version counts.
  private func converse(_ channel: Channel, _ frame: WireBuffer, anyVersion: Bool = false) throws -> Message {
    try channel.send(frame)
    var waitingFor: String?
    var shown: String?
    var silent: Int32 = 0
    while true {
      // Polls every second, so that a client that was itself stopped, with or without the agent, does not count that time as
      // waiting.
      guard let message = try channel.receive(within: 1_000) else {
        silent += 1
        if silent >= Self.timeouts { throw AgentSilence(pid: channel.peer, seconds: silent).failure }
        if silent >= Self.hope {
          let silence = AgentSilence(pid: channel.peer, seconds: silent)
          if silence.isStopped { throw silence.failure }
        }
        // Only a wait of over a second is reported.
        if shown == nil {
          if isatty(2) == 1 { Diagnostics.notice(waitingFor ?? "waiting for the agent …") }
          shown = waitingFor ?? ""
        }
        continue
      }
      silent = 0
      switch message.kind {
      case .failure: throw Failure(message)
      case .notice: Diagnostics.notice(try message.value())
      case .progress:
        let text: String = try message.value()
        // An empty one only means that the agent is alive.
        if text.isEmpty { continue }
        waitingFor = text
        if shown != nil, shown != waitingFor, isatty(2) == 1 {
          Diagnostics.notice(text)
          shown = text
        }
      case .page: SignInPrompt.show(try message.value(), opensBrowser: opensBrowser)
      case .entry: try onEntry(message)
      case .prompt:
        let answer = try Prompting.answer(message.value(), takesCode: isTyped)
        try channel.send(try .frame(.answer, WireBytes(answer)))
      default:
        guard anyVersion || message.version == protocolVersion else { throw Self.otherVersion(message.version) }
        return message
      }
    }
  }

  private static func otherVersion(_ version: UInt16) -> Failure {
    Failure(
      "the running agent uses protocol version \(version), this vault \(protocolVersion)",
      hint: "run `vault agent stop`, then try again: the agent installed beside this vault starts automatically",
      exitStatus: .configuration)
  }
}
