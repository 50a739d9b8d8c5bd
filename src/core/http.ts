/** One header line: lower-case name, value without line ends. */
export type HeaderPair = readonly [name: string, value: string];
