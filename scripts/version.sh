# For other scripts: the version, whose one place is Version.swift, and the date that everything in a package has.
version=${PACKAGE_VERSION:-$(sed -n 's/^public let vaultVersion = "\(.*\)"$/\1/p' Sources/VaultModel/Errors/Version.swift)}
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
