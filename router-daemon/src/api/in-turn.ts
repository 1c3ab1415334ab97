/** Does a piece of work when it is its turn: those who ask must not get in the way of those who carry. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;
