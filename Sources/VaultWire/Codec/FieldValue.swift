import VaultModel

/// A value that one field holds.
public protocol FieldValue: Sendable {
  /// - Returns: nil for bytes that hold no such value.
  init?(field: WireBytes)
  func append(to frame: WireBuffer)
}

/// A value that is a run of fields.
public protocol WireFields: FieldValue {
  init()
  /// Lists the fields, each once. By this list they are written and read.
  mutating func code(_ coder: FieldCoder)
}

extension WireFields {
  public init<Failure: Error>(_ fill: (inout Self) throws(Failure) -> Void) throws(Failure) {
    self.init()
    try fill(&self)
  }

  public init?(field: WireBytes) {
    let coder = FieldCoder(reading: field)
    self.init()
    code(coder)
    guard (try? coder.end()) != nil else { return nil }
  }

  public func append(to frame: WireBuffer) {
    var fields = self
    fields.code(FieldCoder(writing: frame))
  }
}

extension Array: FieldValue where Element: FieldValue {
  public init?(field: WireBytes) {
    self.init()
    let coder = FieldCoder(reading: field)
    while coder.hasMore {
      var element: Element?
      coder.field(&element)
      guard let element else { return nil }
      append(element)
    }
  }

  public func append(to frame: WireBuffer) {
    let coder = FieldCoder(writing: frame)
    for var element in self { coder.field(&element) }
  }
}

/// UTF-8. The longest setting of a profile is half of the longest text.
extension String: FieldValue {
  public init?(field: WireBytes) {
    guard field.count <= 32 * 1_024, let text = field.withBytes({ String(validating: $0, as: UTF8.self) }) else { return nil }
    self = text
  }

  public func append(to frame: WireBuffer) { frame.append(self) }
}

/// Little-endian.
extension FieldValue where Self: FixedWidthInteger & BitwiseCopyable {
  public init?(field: WireBytes) {
    guard field.count == MemoryLayout<Self>.size else { return nil }
    self = field.withBytes { Self(littleEndian: $0.loadUnaligned(as: Self.self)) }
  }

  public func append(to frame: WireBuffer) { frame.append(littleEndian: self) }
}

extension Int: FieldValue {}
extension Int64: FieldValue {}
extension Int32: FieldValue {}
extension UInt8: FieldValue {}

extension FieldValue where Self: RawRepresentable, RawValue: FieldValue {
  public init?(field: WireBytes) {
    guard let value = RawValue(field: field) else { return nil }
    self.init(rawValue: value)
  }

  public func append(to frame: WireBuffer) { rawValue.append(to: frame) }
}

extension AuditTrigger: FieldValue {}
extension SignInFlow: FieldValue {}
extension LockCause: FieldValue {}
extension ExitStatus: FieldValue {}

/// A value that is carried as a simpler one.
public protocol CarriedValue: FieldValue {
  associatedtype Carrier: FieldValue
  init?(carrier: Carrier)
  var carrier: Carrier { get }
}

extension CarriedValue {
  public init?(field: WireBytes) {
    guard let value = Carrier(field: field) else { return nil }
    self.init(carrier: value)
  }

  public func append(to frame: WireBuffer) { carrier.append(to: frame) }
}

extension Bool: CarriedValue {
  public init?(carrier: UInt8) {
    guard carrier <= 1 else { return nil }
    self = carrier == 1
  }
  public var carrier: UInt8 { self ? 1 : 0 }
}

extension Timestamp: CarriedValue {
  public init?(carrier: Int64) { self.init(milliseconds: carrier) }
  public var carrier: Int64 { milliseconds }
}

extension SessionDuration: CarriedValue {
  public init?(carrier: Int) { self.init(seconds: carrier, ofKeys: true) }
  public var carrier: Int { seconds }
}

extension RoleSessionName: CarriedValue {
  public init?(carrier: String) { self.init(carrier) }
  public var carrier: String { text }
}

extension RoleARN: CarriedValue {
  public init?(carrier: String) { self.init(carrier) }
  public var carrier: String { text }
}

/// Its limits are checked where it is used (``SessionScope/check()``), so that the refusal can say which one.
extension SessionScope: WireFields {
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&isReadOnly).field(&policy).field(&policyARNs).field(&tags).field(&transitiveTagKeys).field(&sourceIdentity)
      .field(&externalId)
  }
}

extension SessionTag: WireFields {
  public init() { self.init(key: "", value: "") }

  public mutating func code(_ coder: FieldCoder) { coder.field(&key).field(&value) }
}
