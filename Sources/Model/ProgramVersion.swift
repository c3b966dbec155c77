/// Which release the programs are.
public enum ProgramVersion {
    /// Three numbers, as `--version` of both programs prints them.
    public static let text = "0.4.0"
}
