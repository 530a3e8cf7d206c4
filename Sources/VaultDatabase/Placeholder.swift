import VaultModel
