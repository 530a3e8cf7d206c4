import Glibc
import TestSupport
import Testing

@Suite("Programs that tests run")
struct SubprocessTests {
  @Test("a program's exit status, output and errors come back apart")
  func outputs() async throws {
    let result = try await Subprocess.run("/bin/sh", ["-c", "echo out; echo err >&2; exit 7"], environment: [:])
    #expect(result.end == .exit(7))
    #expect(result.output == "out\n")
    #expect(result.errors == "err\n")
    #expect(!result.outputLeftOpen)
  }

  @Test("a signal that ended a program is told")
  func signalled() async throws {
    let result = try await Subprocess.run("/bin/sh", ["-c", "kill -TERM $$"], environment: [:])
    #expect(result.end == .signal(SIGTERM))
  }

  @Test("megabytes in both directions at once do not lock")
  func largeInputAndOutput() async throws {
    let input = [UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20)
    let result = try await Subprocess.run(
      "/bin/sh", ["-c", "tee /dev/stderr"], environment: ["PATH": "/usr/bin:/bin"], input: input)
    #expect(result.succeeded)
    #expect(result.outputBytes == input)
    #expect(result.errorBytes == input)
  }

  @Test("a program that reads nothing of its input does no harm")
  func unreadInput() async throws {
    let result = try await Subprocess.run(
      "/bin/sh", ["-c", "exec <&-; echo done"], environment: [:], input: [UInt8](repeating: 0, count: 4 << 20))
    #expect(result.output == "done\n")
  }

  @Test("the environment and the folder are those that were given, and nothing else is inherited")
  func surroundings() async throws {
    let folder = TemporaryDirectory()
    let environment = try await Subprocess.run("/usr/bin/env", environment: ["ONLY": "this"], directory: folder.path)
    #expect(environment.output == "ONLY=this\n")
    let directory = try await Subprocess.run("/bin/pwd", ["-P"], environment: [:], directory: folder.path)
    #expect(directory.output == folder.path + "\n")
    let kept = open("/dev/null", O_RDONLY)
    defer { close(kept) }
    let descriptors = try await Subprocess.run("/bin/ls", ["/proc/self/fd"], environment: [:])
    #expect(descriptors.output == "0\n1\n2\n3\n", "3 is the folder that ls itself opened")
  }

  @Test("a descriptor is passed at the number asked for")
  func passedDescriptor() async throws {
    let folder = TemporaryDirectory()
    let file = open(folder.write("by descriptor", to: "note"), O_RDONLY)
    defer { close(file) }
    let result = try await Subprocess.run("/bin/sh", ["-c", "cat <&5"], environment: ["PATH": "/bin"], descriptors: [5: file])
    #expect(result.output == "by descriptor")
  }

  @Test("a program that takes too long is killed with what it started")
  func timeLimit() async throws {
    let folder = TemporaryDirectory()
    let error = try await #require(throws: SubprocessError.self) {
      try await Subprocess.run(
        "/bin/sh", ["-c", "sleep 1000 & echo $! >pid; echo begun; wait"], environment: ["PATH": "/bin"], directory: folder.path,
        timeout: 1)
    }
    guard case .timedOut(_, _, let output, _) = error else {
      Issue.record("another error: \(error)")
      return
    }
    #expect(output == "begun\n")
    let text = try await Subprocess.run("/bin/cat", [folder.file("pid")], environment: [:]).output
    let pid = try #require(pid_t(text.dropLast()))
    let state = try await Subprocess.run("/bin/sh", ["-c", "cat /proc/\(pid)/stat || echo gone"], environment: ["PATH": "/bin"])
    #expect(state.output == "gone\n" || state.output.contains(") Z "), "still there: \(state.output)")
  }

  @Test("what a program leaves behind with its output open is told, not waited for")
  func leftBehind() async throws {
    let result = try await Subprocess.run(
      "/bin/sh", ["-c", "echo started; sleep 5 &"], environment: ["PATH": "/bin"], timeout: 4)
    #expect(result.output == "started\n")
    #expect(result.outputLeftOpen)
  }

  @Test("a program that is not there is an error with its path")
  func missing() async throws {
    let error = try await #require(throws: SubprocessError.self) {
      try await Subprocess.run("/no/such/program", environment: [:])
    }
    #expect("\(error)" == "cannot start /no/such/program: No such file or directory")
  }

  @Test("a running program is talked to line by line, and ends when its input does")
  func conversation() async throws {
    let cat = try RunningProgram("/bin/cat", environment: [:])
    cat.send("one\ntwo\n")
    #expect(try await cat.readLine() == "one")
    #expect(try await cat.readLine() == "two")
    #expect(cat.isRunning)
    cat.send("", end: true)
    #expect(try await cat.wait().end == .exit(0))
    await #expect(throws: SubprocessError.self) { try await cat.readLine() }
  }

  @Test("a running program ends by SIGTERM")
  func terminated() async throws {
    let cat = try RunningProgram("/bin/cat", environment: [:])
    cat.terminate()
    #expect(try await cat.wait().end == .signal(SIGTERM))
  }
}
