"""What a person changes: tools as pure functions, the store on disk, where to look next."""
