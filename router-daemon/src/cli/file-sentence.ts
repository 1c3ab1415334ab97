/** Why a file cannot be read, by the system's name of the failure. */
export function fileSentence(code: string): string {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file. Name an existing one.";
    case "EACCES":
    case "EPERM":
      return "permission denied. Run as the file's owner or as root.";
    case "EISDIR":
      return "it is a directory. Name a file.";
    default:
      return `the system says ${code === "" ? "nothing more" : code}. Name another file.`;
  }
}

/** It may well be the wrong file. */
export function tooLargeSentence(maxBytes: number): string {
  return `it is larger than ${maxBytes} bytes. Name the right file.`;
}
