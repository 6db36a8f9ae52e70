/** What the rest of the program knows of PostgreSQL: a query and a transaction. */

export interface Database {
  /**
   * Rows of one statement; with values it is prepared once under a name of its own. Rejects with the driver's error.
   */
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Runs `work` on one connection between BEGIN and COMMIT; whatever it throws rolls back and is thrown on. */
  transaction<T>(work: (db: Database) => Promise<T>): Promise<T>
}
