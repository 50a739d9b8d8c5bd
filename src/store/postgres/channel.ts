/** The channel on which instances tell each other of changes: one for each schema. */
export const channelOf = (schema: string): string => `tollgate_${schema}`;
