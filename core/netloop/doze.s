// That there is assembly lets Go code declare functions without a body, here
// runtime.goyield.
