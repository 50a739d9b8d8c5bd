/** Whether text is an address that can be asked by HTTP. */
export const isHttp = (address: string): boolean => /^https?:\/\//i.test(address) && URL.canParse(address);
